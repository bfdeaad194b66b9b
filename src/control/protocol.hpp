// SPDX-License-Identifier: Apache-2.0
#pragma once
// The control protocol as a pure function of bytes: README.md draws the frames. Everything read here comes from outside.
//
// In: bytes of a peer. Out: values, or an error that says what is wrong. Threads: any.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {
namespace control {

inline constexpr std::size_t max_request_bytes = 1024;
inline constexpr std::size_t max_words = 16;
inline constexpr std::uint64_t max_answer_bytes = 256ULL << 20U;

// "set preset=off interval=512KiB": a command and its parameters, in any order, none twice.
struct request {
    std::string command;
    std::vector<std::pair<std::string, std::string>> parameters;

    [[nodiscard]] const std::string* find(std::string_view name) const noexcept;  // null: not given
};

// Commands and names are a-z and '_'; values are visible ASCII and may contain '='. Errors: invalid_argument.
[[nodiscard]] result<request> parse_request(std::string_view line);
[[nodiscard]] std::string to_line(const request& r);

inline constexpr std::size_t request_header_bytes = 8;
inline constexpr std::size_t answer_header_bytes = 16;

// `line` has at most max_request_bytes.
[[nodiscard]] std::string frame_request(std::string_view line);
// How many bytes follow the header. Errors: unsupported (another version), unreadable (not this protocol, empty), limit.
[[nodiscard]] result<std::size_t> read_request_header(std::string_view header);

struct answer_header {
    bool is_fine{};
    error_code code{};  // when it is not
    std::uint64_t body_bytes{};
};

[[nodiscard]] std::string frame_answer_header(const result<std::string>& answer);
// Errors: unsupported, unreadable, limit.
[[nodiscard]] result<answer_header> read_answer_header(std::string_view header);

// The text of an answer that is not fine, short and in one line.
[[nodiscard]] std::string refusal_text(const error& e);

// Lines of "name=value" as `status` answers; what stands behind a name, or empty.
[[nodiscard]] std::string_view field(std::string_view lines, std::string_view name) noexcept;
// Adds one; control characters in the value become '?', so that it stays one line.
void add_field(std::string& lines, std::string_view name, std::string_view value);

}  // namespace control
}  // namespace v1
}  // namespace memwatch
