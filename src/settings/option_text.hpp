// SPDX-License-Identifier: Apache-2.0
#pragma once
// The value of an option from text and back, by its type in the table. Reading checks the range too: a value is taken whole or
// not at all. write_option() is what read_option() reads: "1MiB", "250ms", "auto".
// Threads: any. Errors: invalid_argument, what is wrong with the text.

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <memwatch/base/result.hpp>
#include <memwatch/options.hpp>
#include "model/tag_weights.hpp"
#include "settings/option_table.hpp"

namespace memwatch {
inline namespace v1 {

// --- enums: their words, once

template <class Value>
struct option_word {
    std::string_view text;
    Value value;
};

template <class Value>
struct words_of;

template <>
struct words_of<preset_option> {
    static constexpr option_word<preset_option> list[] = {{"off", preset_option::off},
                                                          {"on", preset_option::on},
                                                          {"investigate", preset_option::investigate},
                                                          {"full", preset_option::full}};
};
template <>
struct words_of<sampler_option> {
    static constexpr option_word<sampler_option> list[] = {
        {"poisson", sampler_option::poisson}, {"one_in_n", sampler_option::one_in_n}, {"own", sampler_option::own}};
};
template <>
struct words_of<unwinder_option> {
    static constexpr option_word<unwinder_option> list[] = {
        {"auto", unwinder_option::automatic}, {"fp", unwinder_option::frame_pointer}, {"dwarf", unwinder_option::dwarf}};
};
template <>
struct words_of<control_option> {
    static constexpr option_word<control_option> list[] = {
        {"off", control_option::off}, {"automatic", control_option::automatic}, {"on", control_option::on}};
};
template <>
struct words_of<verdicts_option> {
    static constexpr option_word<verdicts_option> list[] = {
        {"off", verdicts_option::off}, {"automatic", verdicts_option::automatic}, {"on", verdicts_option::on}};
};

// --- numbers

[[nodiscard]] result<std::uint64_t> read_number(const option_description& option, std::string_view text);
[[nodiscard]] result<bool> read_flag(std::string_view text);

// "1MiB", "1500": the largest unit that leaves a whole number. Likewise "10s", "250ms".
[[nodiscard]] std::string write_bytes(std::uint64_t bytes);
[[nodiscard]] std::string write_duration(std::uint64_t nanoseconds);
[[nodiscard]] std::string write_number(option_kind kind, std::uint64_t value);

// --- any type of the table

template <class Value>
[[nodiscard]] std::string list_words() {
    std::string out;
    if constexpr (std::is_enum_v<Value>) {
        for (const auto& word : words_of<Value>::list) { out += (out.empty() ? "" : ", ") + std::string(word.text); }
    }
    return out;
}

template <class Value>
[[nodiscard]] result<void> read_option(const option_description& option, std::string_view text, Value& into) {
    if constexpr (std::is_enum_v<Value>) {
        for (const auto& word : words_of<Value>::list) {
            if (word.text == text) {
                into = word.value;
                return {};
            }
        }
        return fail(error_code::invalid_argument, "not one of " + list_words<Value>(), std::string(text));
    } else if constexpr (std::is_same_v<Value, std::string>) {
        if (option.kind == option_kind::weights) {
            if (const auto parsed = parse_tag_weights(text); !parsed) { return tl::unexpected<error>(parsed.error()); }
        }
        into = text;
        return {};
    } else if constexpr (std::is_same_v<Value, bool>) {
        return read_flag(text).map([&](bool value) { into = value; });
    } else {
        return read_number(option, text).map([&](std::uint64_t value) { into = static_cast<Value>(value); });
    }
}

template <class Value>
[[nodiscard]] std::string write_option(option_kind kind, const Value& value) {
    if constexpr (std::is_enum_v<Value>) {
        for (const auto& word : words_of<Value>::list) {
            if (word.value == value) { return std::string(word.text); }
        }
        return {};
    } else if constexpr (std::is_same_v<Value, std::string>) {
        return value;
    } else if constexpr (std::is_same_v<Value, bool>) {
        return value ? "1" : "0";
    } else {
        return write_number(kind, value);
    }
}

}  // namespace v1
}  // namespace memwatch
