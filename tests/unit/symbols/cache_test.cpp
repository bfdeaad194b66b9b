// SPDX-License-Identifier: Apache-2.0
// The symbol cache: names come back as they were, and nothing but a whole file of ours for this build is believed.
#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "symbols/symbol_cache.hpp"
#include "symbols/symbolizer.hpp"
#include "symbols_fixture.hpp"

namespace fs = std::filesystem;
using namespace memwatch;

namespace {

const std::string build = "00c0ffee";

class scratch_folder {
public:
    scratch_folder() {
        char name[] = "/tmp/memwatch-cache.XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        path_ = name;
    }
    ~scratch_folder() { fs::remove_all(path_); }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    [[nodiscard]] std::string cache() const { return (path_ / "a" / "symbols").string(); }
    [[nodiscard]] std::string file() const { return cache() + "/" + build + ".memtrace"; }

private:
    fs::path path_;
};

known_lines some_lines() {
    return {{0x1000, {{"cache::insert", "cache.cpp", 42, 40}, {"orders::handle", "routes.cpp", 118, 100}}}, {0x2000, {}}};
}

bool is_same(const known_lines& a, const known_lines& b) {
    if (a.size() != b.size()) { return false; }
    for (const auto& [offset, lines] : a) {
        const auto found = b.find(offset);
        if (found == b.end() || found->second.size() != lines.size()) { return false; }
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const auto &x = lines[i], &y = found->second[i];
            if (x.function != y.function || x.file != y.file || x.line != y.line || x.function_line != y.function_line) {
                return false;
            }
        }
    }
    return true;
}

std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

snapshot frames_of(const fixture::program& p) {
    snapshot s;
    s.modules.push_back({p.path, p.build_id, p.start, p.limit, p.file_offset});
    s.frames.push_back({0, p.outer_return, {}});
    s.frames.push_back({0, p.entry_return, {}});
    return s;
}

}  // namespace

TEST_CASE("symbol_cache: what is stored comes back, frames without lines as well, and further frames are added") {
    const scratch_folder folder;
    const auto cache = symbol_cache::open(folder.cache());
    REQUIRE(cache);
    CHECK(cache->load(build).empty());
    cache->store(build, some_lines());
    CHECK(is_same(cache->load(build), some_lines()));
    CHECK(cache->load("00c0ffef").empty());
    cache->store(build, {{0x3000, {{"main", "", 0, 0}}}});
    CHECK(cache->load(build).size() == 3);
    CHECK((fs::status(folder.cache()).permissions() & fs::perms::mask) == fs::perms::owner_all);
    CHECK((fs::status(folder.file()).permissions() & fs::perms::mask) == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("symbol_cache: a file of another build, another version or of any other length or bit counts as not there") {
    const auto bytes = *encode_symbols(some_lines(), build);
    CHECK(decode_symbols(bytes, build));
    CHECK_FALSE(decode_symbols(bytes, "00c0ffef"));
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        CHECK_FALSE(decode_symbols(bytes.substr(0, length), build));
    }
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        auto broken = bytes;
        broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << bit % 8));
        INFO("bit " << bit);
        CHECK_FALSE(decode_symbols(broken, build));
    }
    const scratch_folder folder;
    const auto cache = symbol_cache::open(folder.cache());
    std::ofstream{folder.file()} << "rubbish";
    CHECK(cache->load(build).empty());
    cache->store(build, some_lines());
    CHECK(is_same(cache->load(build), some_lines()));
}

TEST_CASE("symbol_cache: files and folders that others could have written are not believed") {
    const scratch_folder folder;
    const auto cache = symbol_cache::open(folder.cache());
    cache->store(build, some_lines());
    REQUIRE(::chmod(folder.file().c_str(), 0622) == 0);
    CHECK(cache->load(build).empty());
    fs::rename(folder.file(), folder.cache() + "/elsewhere");
    REQUIRE(::chmod((folder.cache() + "/elsewhere").c_str(), 0600) == 0);
    fs::create_symlink("elsewhere", folder.file());
    CHECK(cache->load(build).empty());
    cache->store(build, {{1, {}}});  // replaces the link, not what it points to
    CHECK(cache->load(build).size() == 1);
    CHECK(decode_symbols(content(folder.cache() + "/elsewhere"), build)->size() == 2);
    REQUIRE(::chmod(folder.cache().c_str(), 0777) == 0);
    CHECK_FALSE(symbol_cache::open(folder.cache()));
    CHECK_FALSE(symbol_cache::open("relative/path"));
    CHECK_FALSE(symbol_cache::open(folder.cache() + "/elsewhere"));
    CHECK_FALSE(symbol_cache::open(""));
}

TEST_CASE("private_folder: what was used longest ago goes first, what was just written stays") {
    const scratch_folder scratch;
    const auto folder = private_folder::open(scratch.cache());
    REQUIRE(folder);
    const std::string kilobyte(1000, 'x');
    const auto now = fs::file_time_type::clock::now();
    int age = 10;
    for (const char* name : {"a", "b", "c"}) {
        REQUIRE(folder->write(name, kilobyte, 10'000));
        fs::last_write_time(scratch.cache() + "/" + name, now - std::chrono::hours(age--));
    }
    REQUIRE(folder->read("a", 1000));  // used now
    CHECK(folder->read("a", 999).error().code == error_code::limit);
    REQUIRE(folder->write("d", kilobyte, 3000));
    CHECK_FALSE(folder->read("b", 1000));
    for (const char* name : {"a", "c", "d"}) { CHECK(folder->read(name, 1000)); }
    REQUIRE(folder->write("e", kilobyte, 10));
    CHECK(folder->read("e", 1000));
    CHECK_FALSE(folder->read("d", 1000));
}

TEST_CASE("symbol_cache: commands that write at the same time leave a whole file") {
    const scratch_folder folder;
    std::vector<std::thread> writers;
    for (std::uint64_t writer = 0; writer < 4; ++writer) {
        writers.emplace_back([&folder, writer] {
            const auto cache = symbol_cache::open(folder.cache());
            for (std::uint64_t i = 0; i < 50; ++i) {
                cache->store(build, {{writer * 1000 + i, {{"f", "f.cpp", 1, 1}}}});
                static_cast<void>(cache->load(build));
            }
        });
    }
    for (auto& each : writers) { each.join(); }
    CHECK(decode_symbols(content(folder.file()), build));
    CHECK(symbol_cache::open(folder.cache())->load(build).size() >= 50);
}

TEST_CASE("symbolizer: with a cache the second look-up opens no file and finds the same") {
    const scratch_folder folder;
    const auto cache = symbol_cache::open(folder.cache());
    const auto p = fixture::load("pie");
    auto first = frames_of(p), second = frames_of(p), without = frames_of(p);
    std::size_t steps = 0;
    symbolize_options how{{}, false, &*cache, [&](std::size_t done, std::size_t of) { steps += done == of ? 1 : 0; }};
    CHECK(symbolize(first, how).resolved == 2);
    CHECK(steps == 1);
    second.modules[0].path = without.modules[0].path = "/nonexistent/program";
    const auto again = symbolize(second, how);
    CHECK(again.resolved == 2);
    CHECK(again.warnings.empty());
    for (std::size_t i = 0; i < 2; ++i) { CHECK(is_same({{1, first.frames[i].lines}}, {{1, second.frames[i].lines}})); }
    CHECK(symbolize(without, {{}, false, nullptr, {}}).resolved == 0);
}

TEST_CASE("symbolizer: names from a symbol table alone are not kept, so that a debug file found later is used") {
    const scratch_folder folder;
    const auto cache = symbol_cache::open(folder.cache());
    auto s = frames_of(fixture::load("plain"));
    CHECK(symbolize(s, {{}, false, &*cache, {}}).resolved > 0);
    CHECK(cache->load(s.modules[0].build_id).empty());
}
