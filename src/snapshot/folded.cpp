// SPDX-License-Identifier: Apache-2.0
#include "snapshot/folded.hpp"

#include <algorithm>
#include <cmath>

#include <memwatch/model/site_name.hpp>

namespace memwatch::inline v1::codec {
namespace {

void append_name(std::string& to, const std::string& name) {
    for (const char c : name) {
        if (c == ';') {
            to += ':';
        } else {
            to += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
        }
    }
}

// Callers first: the last line of a frame is the outermost.
void append_frame(std::string& to, const frame& f, const std::vector<module>& modules) {
    const auto separate = [&] {
        if (!to.empty()) { to += ';'; }
    };
    bool is_named = false;
    for (auto line = f.lines.rbegin(); line != f.lines.rend(); ++line) {
        if (line->function.empty()) { continue; }
        separate();
        append_name(to, bare_function_name(line->function));
        is_named = true;
    }
    if (is_named) { return; }
    separate();
    append_name(to, frame_name(f, modules));
}

}  // namespace

std::string encode_folded(const snapshot& s) {
    std::string out;
    for (const auto& each : s.sites) {
        const auto bytes = std::llround(std::min(each.live.bytes, 9.2e18));
        if (bytes == 0) { continue; }
        std::string line;
        const auto& frames = s.stacks[each.stack].frames;
        for (auto index = frames.rbegin(); index != frames.rend(); ++index) { append_frame(line, s.frames[*index], s.modules); }
        out += line.empty() ? "(no stack)" : line;
        out += ' ';
        out += std::to_string(bytes);
        out += '\n';
    }
    return out;
}

}  // namespace memwatch::inline v1::codec
