// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is known of each option without a value: the rows of options.def and server_options.def as data, for everybody who lists
// options (help, the config page, warnings). Threads: any; nothing here changes.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace memwatch {
inline namespace v1 {

// One for each row of options.def, named like the member, in the table's order.
enum class option_id : std::uint8_t {
#define MEMWATCH_OPTION(type, member, default_value, environment, changes, least, most, unit, help) member,
#include <memwatch/options.def>
    count_
};
inline constexpr std::size_t option_count = static_cast<std::size_t>(option_id::count_);

enum class option_kind : std::uint8_t { text, flag, bytes, duration, count, weights, word, secret };
enum class option_change : std::uint8_t { start, runtime };

struct option_description {
    std::string_view member;       // of `options` or `server_options`
    std::string_view environment;  // "MEMWATCH_INTERVAL"
    option_kind kind;
    option_change change;
    std::uint64_t least;  // with `most`: the range of a number; both 0: none
    std::uint64_t most;
    std::string_view unit;  // of the number as it is printed: "bytes", "ns"; empty: none
    std::string_view help;
    std::string (*default_text)();  // as a user would type it
    std::string (*words)();         // "off, on, full" for kind `word`, else empty

    // "interval": what runtime control calls it.
    [[nodiscard]] std::string name() const;
    // "off | on | full", "1 .. 1TiB", or empty.
    [[nodiscard]] std::string values() const;
    [[nodiscard]] bool has_range() const noexcept { return least != most; }
};

struct variable_description {
    std::string_view environment;
    std::string_view help;
};

[[nodiscard]] std::span<const option_description> session_option_table() noexcept;  // indexed by option_id
[[nodiscard]] std::span<const option_description> server_option_table() noexcept;
[[nodiscard]] std::span<const variable_description> command_variable_table() noexcept;

[[nodiscard]] const option_description& describe(option_id id) noexcept;
// By external name ("interval").
[[nodiscard]] std::optional<option_id> find_option(std::string_view name) noexcept;

// Whether any table knows the variable.
[[nodiscard]] bool is_known_variable(std::string_view environment) noexcept;
// The known variable that is at most two edits away (a letter put in, left out or exchanged), the nearest; or empty.
[[nodiscard]] std::string_view nearest_variable(std::string_view environment);

}  // namespace v1
}  // namespace memwatch
