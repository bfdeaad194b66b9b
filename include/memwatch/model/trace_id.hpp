// SPDX-License-Identifier: Apache-2.0
#pragma once
// A W3C trace id (128 bits) and span id (64 bits) as plain integers. All-zero means "no trace", as the W3C recommendation
// defines it (https://www.w3.org/TR/trace-context/#trace-id), so a value-initialised id is the absent one.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>  // and std::hash, without <functional>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

struct trace_id {
    std::uint64_t high{};  // first 16 hex digits
    std::uint64_t low{};   // last 16 hex digits

    [[nodiscard]] constexpr bool is_valid() const noexcept { return (high | low) != 0; }
    friend constexpr bool operator==(trace_id a, trace_id b) noexcept { return a.high == b.high && a.low == b.low; }
    friend constexpr bool operator!=(trace_id a, trace_id b) noexcept { return !(a == b); }
    friend constexpr bool operator<(trace_id a, trace_id b) noexcept {
        return a.high != b.high ? a.high < b.high : a.low < b.low;
    }
};

// 32 lower-case hex digits.
MEMWATCH_API std::string to_string(trace_id id);

// Exactly 32 hex digits; all zeros is accepted and means "none".
MEMWATCH_API result<trace_id> parse_trace_id(std::string_view text);

}  // namespace v1
}  // namespace memwatch

template <>
struct std::hash<memwatch::trace_id> {
    std::size_t operator()(memwatch::trace_id id) const noexcept {
        return static_cast<std::size_t>(id.high * 0x9E3779B97F4A7C15ULL ^ id.low);  // ids are random already; fold them
    }
};
