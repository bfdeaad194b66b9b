// SPDX-License-Identifier: Apache-2.0
#include "model/tag_weights.hpp"

#include <algorithm>
#include <charconv>

namespace memwatch::inline v1 {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr const char* spaces = " \t";
    const auto from = text.find_first_not_of(spaces);
    return from == std::string_view::npos ? std::string_view{} : text.substr(from, text.find_last_not_of(spaces) - from + 1);
}

tl::unexpected<error> refused(const char* why, std::string_view item) {
    return fail(error_code::invalid_argument, why, std::string(item.substr(0, 64)));
}

result<tag_weight> parse_item(std::string_view item) {
    const auto equals = item.rfind('=');
    if (equals == std::string_view::npos) { return refused("no weight: write TAG=WEIGHT", item); }
    const std::string_view name = trimmed(item.substr(0, equals));
    const std::string_view number = trimmed(item.substr(equals + 1));
    if (name.empty()) { return refused("no tag: write TAG=WEIGHT", item); }
    double weight = 0;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), weight);
    const bool is_number = parsed.ec == std::errc{} && parsed.ptr == number.data() + number.size();
    if (!is_number || !is_tag_weight(weight)) { return refused("not a weight: use a number from 0 to 1", item); }
    return tag_weight{std::string(name), weight};
}

}  // namespace

bool is_tag_weight(double weight) noexcept { return weight >= 0 && weight <= 1; }

result<std::vector<tag_weight>> parse_tag_weights(std::string_view text) {
    std::vector<tag_weight> out;
    if (trimmed(text).empty()) { return out; }
    for (bool is_last = false; !is_last;) {
        const auto comma = text.find(',');
        is_last = comma == std::string_view::npos;
        result<tag_weight> item = parse_item(trimmed(text.substr(0, comma)));
        if (!item) { return tl::unexpected<error>(item.error()); }
        const bool is_twice = std::any_of(out.begin(), out.end(), [&](const tag_weight& w) { return w.tag == item->tag; });
        if (is_twice) { return refused("the tag has two weights", item->tag); }
        out.push_back(std::move(*item));
        if (!is_last) { text.remove_prefix(comma + 1); }
    }
    return out;
}

std::vector<std::string> set_tag_weights(snapshot& s, const std::vector<tag_weight>& weights) {
    std::vector<std::string> unknown;
    for (const tag_weight& each : weights) {
        bool is_known = false;
        for (tag_totals& tag : s.tags) {
            if (tag.name != each.tag) { continue; }
            tag.weight = each.weight;
            is_known = true;
        }
        if (!is_known) { unknown.push_back(each.tag); }
    }
    return unknown;
}

}  // namespace memwatch::inline v1
