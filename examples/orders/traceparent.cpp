// SPDX-License-Identifier: Apache-2.0
#include "traceparent.hpp"

#include <cstdint>
#include <random>

namespace orders {
namespace {

constexpr std::size_t header_size = 55;
constexpr std::size_t trace_at = 3, trace_size = 32;
constexpr std::size_t span_at = 36, span_size = 16;

bool is_id(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
           text.find_first_not_of('0') != std::string_view::npos;
}

void append_hex(std::string& out, std::uint64_t value) {
    for (int shift = 60; shift >= 0; shift -= 4) { out += "0123456789abcdef"[(value >> shift) & 0xF]; }
}

}  // namespace

bool is_traceparent(std::string_view header) {
    return header.size() == header_size && header.substr(0, trace_at) == "00-" && header[trace_at + trace_size] == '-' &&
           header[span_at + span_size] == '-' && is_id(header.substr(trace_at, trace_size)) &&
           is_id(header.substr(span_at, span_size));
}

std::string make_traceparent() {
    thread_local std::mt19937_64 random{std::random_device{}()};
    std::string header{"00-"};
    header.reserve(header_size);
    append_hex(header, random());
    append_hex(header, random());
    header += '-';
    append_hex(header, random() | 1);  // a span id of all zeros would be invalid
    header += "-01";
    return header;
}

}  // namespace orders
