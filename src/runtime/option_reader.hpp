// SPDX-License-Identifier: Apache-2.0
#pragma once
// Options from the environment, and what is wrong with them. The table is options.def; nothing is listed twice.

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/options.hpp>

namespace memwatch {
inline namespace v1 {

// Overlays MEMWATCH_* from `environment` (as environ: "NAME=value" strings, null-terminated) on `into`. A value that cannot be
// read or is out of range keeps what was there; each such case, and each unknown MEMWATCH_* name, is a sentence in `warnings`.
void read_environment(const char* const* environment, options& into, std::vector<std::string>& warnings);

// "off", "on", "full". Errors: invalid_argument.
[[nodiscard]] result<preset_option> parse_preset(std::string_view text);
[[nodiscard]] const char* to_string(preset_option preset) noexcept;

// Puts values that are out of range back to their defaults, with a sentence each.
void check_ranges(options& wanted, std::vector<std::string>& warnings);

}  // namespace v1
}  // namespace memwatch
