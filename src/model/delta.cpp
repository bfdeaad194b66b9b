// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include <memwatch/model/delta.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

struct dimension_name {
    dimension value;
    const char* text;
};

constexpr dimension_name dimension_names[] = {
    {dimension::site, "site"},   {dimension::type, "type"},     {dimension::tag, "tag"},  {dimension::trace, "trace"},
    {dimension::route, "route"}, {dimension::thread, "thread"}, {dimension::pool, "pool"}};

}  // namespace

double delta_row::rank_bytes() const noexcept {
    constexpr double unsteady_share = 0.1;
    const double sure = std::max(0.0, is_exact ? bytes : bytes - 2 * bytes_standard_error);
    const double steady = std::min(sure, steady_bytes);
    return steady + (sure - steady) * unsteady_share;
}

double delta_row::ratio() const noexcept {
    if (before.live.bytes > 0) { return after.live.bytes / before.live.bytes; }
    return after.live.bytes > 0 ? std::numeric_limits<double>::infinity() : 1.0;
}

bool delta_row::is_significant() const noexcept { return is_exact || std::abs(bytes) > 2 * bytes_standard_error; }

const char* to_string(dimension by) noexcept {
    for (const auto& each : dimension_names) {
        if (each.value == by) { return each.text; }
    }
    return "?";
}

const char* to_string(change what) noexcept {
    switch (what) {
        case change::appeared:
            return "new";
        case change::gone:
            return "gone";
        case change::grew:
            return "grew";
        case change::shrank:
            return "shrank";
        case change::unchanged:
            return "same";
    }
    return "?";
}

const char* to_string(match_rung rung) noexcept {
    switch (rung) {
        case match_rung::none:
            return "none";
        case match_rung::exact:
            return "exact";
        case match_rung::frames:
            return "frames";
        case match_rung::function:
            return "function";
    }
    return "?";
}

result<dimension> parse_dimension(std::string_view text) {
    for (const auto& each : dimension_names) {
        if (text == each.text) { return each.value; }
    }
    return fail(error_code::invalid_argument, "not a dimension: use site, type, tag, trace, route, thread or pool",
                std::string{text.substr(0, 64)});
}

}  // namespace v1
}  // namespace memwatch
