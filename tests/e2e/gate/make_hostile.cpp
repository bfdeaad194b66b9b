// SPDX-License-Identifier: Apache-2.0
// Two dumps whose names attack every output of the gate: base.jsonl and head.jsonl in the folder that is named.
#include <cstdio>
#include <string>

#include <memwatch/snapshot/codec.hpp>

#include "unit/report/sample.hpp"

namespace {

memwatch::snapshot made(std::uint64_t blocks) {
    const std::string name = "evil\x1b[2J\n::error::gotcha]]>%0A<b a=\"'&>|`\xE2\x80\xAE\xEF\xBF\xBE,f:g";
    memwatch::snapshot s = sample::orders();
    s.info.service = s.info.label = s.info.host = s.info.executable = s.info.session = name + std::to_string(blocks);
    s.info.interval_bytes = 0;
    for (auto& tag : s.tags) { tag.name += name; }
    for (auto& site : s.sites) { site.type = name; }
    for (auto& module : s.modules) { module.path = "/" + name + module.path; }
    for (auto& frame : s.frames) { frame.lines = {{name + std::to_string(frame.offset), "/repo/" + name + ".cpp", 7, 3}}; }
    for (std::uint64_t i = 0; i < blocks; ++i) {
        s.live.push_back({100 + i, 65536, 131 * sample::second, 0, {}, 0, 1, 1});
        s.sites[0].live.add(65536, 0);
    }
    return s;
}

bool write(const std::string& path, const memwatch::snapshot& s) {
    const auto bytes = memwatch::encode(s, memwatch::dump_format::memtrace);
    return bytes && memwatch::write_file_atomically(path, *bytes);
}

}  // namespace

int main(int count, char** words) {
    const std::string folder = count > 1 ? words[1] : ".";
    return write(folder + "/base.memtrace", made(1)) && write(folder + "/head.memtrace", made(100)) ? 0 : 1;
}
