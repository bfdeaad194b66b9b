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

// "outermost;..;innermost" of a frame.
std::string text_of(const frame& f, const std::vector<module>& modules) {
    std::string text;
    for (auto line = f.lines.rbegin(); line != f.lines.rend(); ++line) {
        if (line->function.empty()) { continue; }
        if (!text.empty()) { text += ';'; }
        append_name(text, bare_function_name(line->function));
    }
    if (text.empty()) { append_name(text, frame_name(f, modules)); }
    return text;
}

}  // namespace

std::string encode_folded(const snapshot& s) {
    std::string out;
    std::vector<std::string> texts(s.frames.size());  // stacks share frames; taking a name apart costs more than copying it
    for (const auto& each : s.sites) {
        const auto bytes = std::llround(std::min(each.live.bytes, 9.2e18));
        if (bytes == 0) { continue; }
        std::string line;
        const auto& frames = s.stacks[each.stack].frames;
        for (auto index = frames.rbegin(); index != frames.rend(); ++index) {
            auto& text = texts[*index];
            if (text.empty()) { text = text_of(s.frames[*index], s.modules); }
            if (!line.empty()) { line += ';'; }
            line += text;
        }
        out += line.empty() ? "(no stack)" : line;
        out += ' ';
        out += std::to_string(bytes);
        out += '\n';
    }
    return out;
}

}  // namespace memwatch::inline v1::codec
