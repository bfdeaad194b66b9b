// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sizes and durations as people write them. `MB` is 10^6 and `MiB` is 2^20, always, and a bare number is bytes (or, for
// durations, refused: "5" is nobody's duration). Formatting is the inverse used by every text the project prints.

#include <cstdint>
#include <string>
#include <string_view>

#include <memwatch/base/export.hpp>
#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

// "4096", "64KiB", "10MB", "1.5 GiB" (case-insensitive, optional space and trailing B). Errors: invalid_argument for an
// unknown unit, a negative or non-finite number, or a value above 2^63 - 1.
MEMWATCH_API result<std::uint64_t> parse_bytes(std::string_view text);

// "250ms", "10s", "5m", "2h", "1d", "1.5s" -> nanoseconds. Errors as above; "0s" is valid.
MEMWATCH_API result<std::uint64_t> parse_duration(std::string_view text);

// "0 B", "512 B", "1.4 KiB", "52.0 MiB": binary units, one decimal from KiB on. Signed twin prints "+1.4 KiB" / "-3 B".
MEMWATCH_API std::string format_bytes(double bytes);
MEMWATCH_API std::string format_bytes_signed(double bytes);

// "850 ms", "12.3 s", "4m05s", "2h03m", "3d04h" from nanoseconds.
MEMWATCH_API std::string format_duration(std::uint64_t nanoseconds);

}  // namespace v1
}  // namespace memwatch
