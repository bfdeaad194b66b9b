// SPDX-License-Identifier: Apache-2.0
#pragma once
// The request target, taken apart: "/debug/memtrace/sites?top=20&by=tag" -> path and parameters.
//
// In: bytes from the network. Out: decoded UTF-8 without control characters, or an error that names what is wrong. Strict on
// purpose: a parameter that nobody understands is refused, never ignored, so that `treshold=10MB` does not answer as if no
// threshold had been asked for. Threads: any. Checked by tests/unit/serve/target_test.cpp and tests/fuzz/http_fuzz.cpp.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

inline constexpr std::size_t max_target_bytes = 8192;  // RFC 9110 4.1 recommends to accept at least 8000
inline constexpr std::size_t max_parameters = 32;

struct request_target {
    std::string path;
    std::vector<std::pair<std::string, std::string>> parameters;  // in order; names are unique

    // Null when the parameter was not given.
    [[nodiscard]] const std::string* find(std::string_view name) const noexcept;
    [[nodiscard]] std::string text(std::string_view name, std::string_view otherwise = {}) const;

    // A whole number of at most `max`. Errors: invalid_argument.
    [[nodiscard]] result<std::size_t> number(std::string_view name, std::size_t otherwise, std::size_t max) const;

    // One word of a list like "json|text". Errors: invalid_argument, naming the choices.
    [[nodiscard]] result<std::string> choice(std::string_view name, std::string_view otherwise, std::string_view choices) const;
};

// Origin form only. Errors: limit (longer than max_target_bytes), invalid_argument (anything else).
[[nodiscard]] result<request_target> parse_target(std::string_view target);

// Whether `word` is one of the words in `list`, which are separated by '|'.
[[nodiscard]] bool is_listed(std::string_view word, std::string_view list) noexcept;

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
