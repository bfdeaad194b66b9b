// SPDX-License-Identifier: Apache-2.0
// Writes dumps of one service, a look every 10 s, for test_verdicts.py:
//   make-series DIR KIND COUNT
// leaky     audit_log::append keeps every block it takes; parser::parse frees all of its own; catalog::load keeps what it
// loaded at
//           the start, 40 blocks, and takes no more
// healthy   the same without the leak, in another build: other addresses, the same names
// grown     healthy, and audit_log::append holds from the start what the leaky one has at its end
// Every block is recorded. Files are KIND-NN.memtrace; their times, not their names, say which is older.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <memwatch/snapshot/codec.hpp>

namespace {

using memwatch::snapshot;

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t block_bytes = 16'384;
constexpr std::uint64_t blocks_a_look = 20;

struct shape {
    std::string name;
    bool is_leaking{};
    bool is_other_build{};
    std::uint64_t kept_from_start{};
};

snapshot tables(const shape& of) {
    snapshot s;
    s.info.service = "shop";
    s.info.host = "web-1";
    s.info.executable = "/srv/shop/shop";
    s.info.session = of.name == "leaky" ? "0af7651916cd43dd8448eb211c80319c" : "1bf7651916cd43dd8448eb211c80319c";
    s.info.pid = 4711;
    s.info.started_unix_ns = 1'763'766'000 * second;
    s.info.epoch_ns = 10 * second;
    s.info.sampler = "full";
    s.modules = {{"/srv/shop/shop", of.is_other_build ? "bb22" : "aa11", 0x1000, 0x9000, 0x1000}};
    const std::uint64_t moved = of.is_other_build ? 0x300 : 0;
    s.frames = {{0, 0x1100 + moved, {{"operator new(unsigned long)", "", 0}}},
                {0, 0x1200 + moved, {{"shop::audit_log::append(std::string_view)", "src/audit_log.cpp", 42}}},
                {0, 0x1300 + moved, {{"shop::parser::parse(std::string_view)", "src/parser.cpp", 7}}},
                {0, 0x1400 + moved, {{"shop::catalog::load()", "src/catalog.cpp", 11}}}};
    s.stacks = {{{0, 1}, false}, {{0, 2}, false}, {{0, 3}, false}};
    s.tags = {{"untagged", 0, 0, 0, 0}};
    s.routes = {"", "/checkout"};
    s.threads = {{"other", 0, false}};
    s.sites.resize(3);
    for (std::uint32_t i = 0; i < 3; ++i) { s.sites[i].stack = i; }
    return s;
}

void bear(snapshot& s, std::uint32_t site, std::uint64_t birth_ns) {
    const std::uint64_t number = s.live.size();
    s.live.push_back({number, block_bytes, birth_ns, 0, {0x4bf92f35, number + 1}, site, site == 0 ? 1U : 0U, 0});
    s.sites[site].live.add(block_bytes, 0);
}

void count(snapshot& s, std::uint32_t site, std::uint64_t born) {
    for (std::uint64_t i = 0; i < born; ++i) { s.sites[site].allocated.add(block_bytes, 0); }
    for (std::uint64_t i = s.sites[site].live.samples; i < born; ++i) { s.sites[site].freed.add(block_bytes, 0); }
}

snapshot look(const shape& of, std::uint64_t number) {
    snapshot s = tables(of);
    s.info.taken_ns = (number + 1) * 10 * second;
    for (std::uint64_t i = 0; i < 40; ++i) { bear(s, 2, second); }
    for (std::uint64_t i = 0; i < of.kept_from_start; ++i) { bear(s, 0, second); }
    for (std::uint64_t i = 0; of.is_leaking && i < (number + 1) * blocks_a_look; ++i) {
        bear(s, 0, i * 10 * second / blocks_a_look + 1);
    }
    for (std::uint64_t i = 0; i < 5; ++i) { bear(s, 1, s.info.taken_ns - (i + 1) * 1'000'000); }
    count(s, 0, s.sites[0].live.samples);
    count(s, 1, (number + 1) * 500);
    count(s, 2, 40);
    return s;
}

bool write(const std::string& path, const snapshot& s) {
    const auto written = memwatch::encode(s, memwatch::dump_format::memtrace).and_then([&](const std::string& bytes) {
        return memwatch::write_file_atomically(path, bytes);
    });
    if (!written) { std::fprintf(stderr, "%s: %s\n", path.c_str(), written.error().message().c_str()); }
    return written.has_value();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) { return 2; }
    shape of{argv[2], false, false, 0};
    const std::uint64_t looks = std::strtoull(argv[3], nullptr, 10);
    if (of.name == "leaky") {
        of.is_leaking = true;
    } else {
        of.is_other_build = true;
        if (of.name == "grown") { of.kept_from_start = looks * blocks_a_look; }
    }
    for (std::uint64_t number = 0; number < looks; ++number) {
        char name[64];
        std::snprintf(name, sizeof name, "/%s-%02u.memtrace", of.name.c_str(), static_cast<unsigned>(number));
        if (!write(argv[1] + std::string(name), look(of, number))) { return 1; }
    }
    return 0;
}
