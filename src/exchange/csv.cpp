// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <string_view>

#include <memwatch/model/site_name.hpp>

#include "base/utf8.hpp"
#include "exchange/call_paths.hpp"
#include "exchange/export_formats.hpp"

namespace memwatch::inline v1::exchange {
namespace {

constexpr const char* header =
    "site,function,file,line,type,tag,live_bytes,live_bytes_standard_error,live_objects,allocated_bytes,allocated_objects,"
    "freed_bytes,freed_objects,samples,stack\r\n";

// What spreadsheets take for the beginning of a formula (OWASP, CSV injection), full-width forms too.
bool begins_formula(char32_t code_point) {
    constexpr char32_t signs[] = {U'=', U'+', U'-', U'@', U'|', U'%', 0xFF1D, 0xFF0B, 0xFF0D, 0xFF20};
    return std::find(std::begin(signs), std::end(signs), code_point) != std::end(signs);
}

// Text that a spreadsheet shows and nothing else: no formula, no control character, no broken UTF-8.
std::string cell(std::string_view text) {
    std::string shown;
    bool is_at_start = true;
    bool is_formula = false;
    while (!text.empty()) {
        const std::string_view before = text;
        char32_t code_point{};
        const bool is_character = take_code_point(text, code_point);
        is_formula = is_formula || (is_at_start && is_character && begins_formula(code_point));
        is_at_start = is_at_start && (code_point == U' ' || is_control(code_point));
        if (!is_character) {
            shown += "\xEF\xBF\xBD";
        } else if (is_control(code_point)) {
            shown += ' ';
        } else {
            shown += before.substr(0, before.size() - text.size());
        }
    }
    if (is_formula) { shown.insert(0, 1, '\''); }
    // Spreadsheets of many languages split at semicolons: a formula could begin behind one.
    if (shown.find_first_of(",;\" ") == std::string::npos) { return shown; }
    std::string quoted = "\"";
    for (const char c : shown) { quoted += c == '"' ? std::string_view{"\"\""} : std::string_view{&c, 1}; }
    return quoted + '"';
}

}  // namespace

std::string encode_csv(const snapshot& s) {
    call_paths paths(s);
    std::string out = header;
    for (const site& each : s.sites) {
        const std::vector<std::uint32_t> path = paths.path_of(each.stack);
        const std::string name = site_name(s, each);
        const call* const place = paths.named(path, name);
        const bool has_line = place != nullptr && place->line != 0;
        out += cell(site_key(s, each)) + ',' + cell(name) + ',' + cell(place == nullptr ? std::string{} : place->file) + ',' +
               (has_line ? std::to_string(place->line) : std::string{}) + ',' + cell(each.type) + ',' +
               cell(s.tags[each.tag].name);
        for (const double amount : {each.live.bytes, each.live.bytes_standard_error(), each.live.objects, each.allocated.bytes,
                                    each.allocated.objects, each.freed.bytes, each.freed.objects}) {
            out += ',' + std::to_string(whole_amount(amount));
        }
        out += ',' + std::to_string(each.live.samples) + ',' + cell(paths.text_of(path)) + "\r\n";
    }
    return out;
}

}  // namespace memwatch::inline v1::exchange
