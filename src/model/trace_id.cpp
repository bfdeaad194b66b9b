// SPDX-License-Identifier: Apache-2.0
#include <memwatch/model/trace_id.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t digits_a_half = 16;

void put_hex(std::uint64_t value, char* out) noexcept {
    for (std::size_t i = 0; i < digits_a_half; ++i) { out[i] = "0123456789abcdef"[(value >> (60 - 4 * i)) & 0xF]; }
}

// The digit's value, or 16 when `c` is not a hex digit.
unsigned hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') { return static_cast<unsigned>(c - '0'); }
    if (c >= 'a' && c <= 'f') { return static_cast<unsigned>(c - 'a') + 10; }
    if (c >= 'A' && c <= 'F') { return static_cast<unsigned>(c - 'A') + 10; }
    return 16;
}

}  // namespace

std::string to_string(trace_id id) {
    std::string text(2 * digits_a_half, '0');
    put_hex(id.high, text.data());
    put_hex(id.low, text.data() + digits_a_half);
    return text;
}

result<trace_id> parse_trace_id(std::string_view text) {
    if (text.size() != 2 * digits_a_half) {
        return fail(error_code::invalid_argument, "a trace id has exactly 32 hex digits", std::string{text.substr(0, 64)});
    }
    std::uint64_t halves[2]{};
    for (std::size_t i = 0; i < text.size(); ++i) {
        const unsigned digit = hex_value(text[i]);
        if (digit > 15) {
            return fail(error_code::invalid_argument, "a trace id is made of hex digits only", std::string{text});
        }
        halves[i / digits_a_half] = halves[i / digits_a_half] << 4 | digit;
    }
    return trace_id{halves[0], halves[1]};
}

}  // namespace v1
}  // namespace memwatch
