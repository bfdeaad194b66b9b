// SPDX-License-Identifier: Apache-2.0
// Writes the dumps that test_cli.py feeds to memwatch:
//   make-dumps DIR [PROGRAM BUILD_ID START LIMIT FILE_OFFSET RETURN_OFFSET]
// before/after.memtrace and .json (the request cache grew), hostile.json (names that attack a terminal) and, with PROGRAM,
// real.json (one frame of a real program, without names).

#include <cstdio>
#include <cstdlib>
#include <string>

#include <memwatch/snapshot/codec.hpp>

#include "unit/report/sample.hpp"

namespace {

using memwatch::snapshot;

void write(const std::string& path, const snapshot& s, memwatch::dump_format format) {
    const auto bytes = memwatch::encode(s, format);
    const auto written = bytes ? memwatch::write_file_atomically(path, *bytes) : tl::unexpected(bytes.error());
    if (written) { return; }
    std::fprintf(stderr, "%s: %s\n", path.c_str(), written.error().message().c_str());
    std::exit(1);
}

snapshot before() {
    snapshot s = sample::orders();
    s.info.label = "before";
    s.info.taken_ns = 130 * sample::second;
    s.live.pop_back();  // born later
    s.sites[1].live = s.sites[1].allocated = {};
    s.tags[1].freed_bytes = 50'000'000;
    return s;
}

snapshot after() {
    snapshot s = sample::orders();
    for (std::uint64_t i = 0; i < 600; ++i) {
        s.live.push_back({100 + i, 16384, (131 + i / 10) * sample::second, 65536, sample::trace(i), 0, 1, 1});
        s.sites[0].live.add(16384, 65536);
        s.sites[0].allocated.add(16384, 65536);
    }
    return s;
}

snapshot hostile() {
    const std::string name = "evil\x1b[2J\x07\nname\xE2\x80\xAE|`<b>";
    snapshot s = after();
    s.info.service = s.info.label = s.info.host = s.info.executable = name;
    for (auto& t : s.tags) { t.name += name; }
    for (auto& r : s.routes) { r += name; }
    for (auto& t : s.threads) { t.name = name; }
    for (auto& p : s.pools) { p.name = p.upstream = name; }
    for (auto& x : s.sites) { x.type = name; }
    for (auto& m : s.modules) { m.path = name; }
    for (auto& f : s.frames) { f.lines = {{name, name, 7}}; }
    s.drops = {{name, 7}};
    return s;
}

snapshot real(char** arguments) {
    snapshot s = after();
    s.modules = {{arguments[0], arguments[1], std::strtoull(arguments[2], nullptr, 10),
                  std::strtoull(arguments[3], nullptr, 10), std::strtoull(arguments[4], nullptr, 10)}};
    s.frames = {{0, std::strtoull(arguments[5], nullptr, 10), {}}};
    s.stacks = {{{0}, false}, {{0}, false}};
    s.pools.clear();  // their frames are gone
    return s;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2 && count != 8) { return 2; }
    const std::string dir = arguments[1];
    write(dir + "/before.memtrace", before(), memwatch::dump_format::memtrace);
    write(dir + "/after.memtrace", after(), memwatch::dump_format::memtrace);
    write(dir + "/before.json", before(), memwatch::dump_format::json);
    write(dir + "/after.json", after(), memwatch::dump_format::json);
    write(dir + "/hostile.json", hostile(), memwatch::dump_format::json);
    if (count == 8) { write(dir + "/real.json", real(arguments + 2), memwatch::dump_format::json); }
    return 0;
}
