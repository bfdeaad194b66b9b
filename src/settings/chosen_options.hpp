// SPDX-License-Identifier: Apache-2.0
#pragma once
// The options in force, and where each value comes from. Precedence: default < code < environment < runtime; where the budget
// was nobody's choice, the cgroup's limit may lower it.
//
//   choose_options(code)          epoch_ns = 10 s (default)    interval_bytes = 64 KiB (code)
//   overlay_environment(environ)  MEMWATCH_INTERVAL=1KiB       interval_bytes = 1 KiB  (environment)
//                                 MEMWATCH_EPOCH=soon          a warning; stays 10 s   (default)
//   change_option("interval", "2KiB")                          interval_bytes = 2 KiB  (runtime)
//
// A value that equals the default counts as default when code set it: the two cannot be told apart, nor need they be.
// In: text from outside, hostile. Out: values in range. Threads: plain values, no state of its own.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/options.hpp>
#include "settings/option_table.hpp"

namespace memwatch {
inline namespace v1 {

enum class option_origin : std::uint8_t { standard, code, environment, runtime, cgroup };

// "default", "code", "environment", "runtime", "cgroup".
[[nodiscard]] const char* to_string(option_origin origin) noexcept;
[[nodiscard]] std::string to_string(preset_option preset);

struct chosen_options : options {
    std::array<option_origin, option_count> origins{};

    [[nodiscard]] option_origin origin(option_id id) const noexcept { return origins[static_cast<std::size_t>(id)]; }
    void set_origin(option_id id, option_origin to) noexcept { origins[static_cast<std::size_t>(id)] = to; }
};

// What code asks for. What is out of range becomes the default, with a sentence in `warnings`.
[[nodiscard]] chosen_options choose_options(options wanted, std::vector<std::string>& warnings);

// Overlays MEMWATCH_* from `environment` (as environ: "NAME=value" strings, null-terminated). A value that cannot be read or is
// out of range keeps what was there; each such case, and each unknown MEMWATCH_* name, is a sentence in `warnings`.
void overlay_environment(const char* const* environment, chosen_options& into, std::vector<std::string>& warnings);

// As a user of a running process asks: by external name. Errors: invalid_argument (no such option, fixed when the
// session starts, not a value for it); `into` is then as before.
[[nodiscard]] result<void> change_option(chosen_options& into, std::string_view name, std::string_view text);

// The value as read_option() reads it, and as a bare number in the table's unit where it is one ("1048576").
[[nodiscard]] std::string option_text(const options& from, option_id id);
[[nodiscard]] std::string option_number(const options& from, option_id id);

}  // namespace v1
}  // namespace memwatch
