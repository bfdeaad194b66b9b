// SPDX-License-Identifier: Apache-2.0
#include "control/protocol.hpp"

#include <algorithm>

namespace memwatch {
inline namespace v1 {
namespace control {
namespace {

constexpr std::string_view request_magic = "MWQ1";
constexpr std::string_view answer_magic = "MWA1";
constexpr std::size_t magic_bytes = 4;
constexpr std::size_t max_refusal_bytes = 512;
constexpr std::uint32_t last_status = 1 + static_cast<std::uint32_t>(error_code::unavailable);

template <class Integer>
void put(std::string& out, Integer value) {
    for (std::size_t i = 0; i < sizeof value; ++i) { out += static_cast<char>(value >> (8 * i) & 0xFFU); }
}

template <class Integer>
Integer get(std::string_view bytes) noexcept {
    Integer value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) {
        value |= static_cast<Integer>(static_cast<Integer>(static_cast<unsigned char>(bytes[i])) << (8 * i));
    }
    return value;
}

result<void> check_magic(std::string_view header, std::string_view magic) {
    if (header.substr(0, magic_bytes) == magic) { return {}; }
    if (header.substr(0, magic_bytes - 1) == magic.substr(0, magic_bytes - 1)) {
        return fail(error_code::unsupported, "this speaks version 1 of the control protocol only");
    }
    return fail(error_code::unreadable, "not the control protocol");
}

bool is_name(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

bool is_value(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

result<void> add_word(request& into, std::string_view word) {
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    if (equals == std::string_view::npos || !is_name(name) || !is_value(word.substr(equals + 1))) {
        return fail(error_code::invalid_argument, "a request is a command and name=value words");
    }
    if (into.find(name) != nullptr) { return fail(error_code::invalid_argument, "given twice", std::string(name)); }
    into.parameters.emplace_back(name, word.substr(equals + 1));
    return {};
}

}  // namespace

const std::string* request::find(std::string_view name) const noexcept {
    for (const auto& [key, value] : parameters) {
        if (key == name) { return &value; }
    }
    return nullptr;
}

result<request> parse_request(std::string_view line) {
    if (line.size() > max_request_bytes) { return fail(error_code::invalid_argument, "the request is too long"); }
    request out;
    for (bool is_last = false; !is_last;) {
        const std::size_t space = line.find(' ');
        const std::string_view word = line.substr(0, space);
        is_last = space == std::string_view::npos;
        line.remove_prefix(is_last ? line.size() : space + 1);
        if (out.command.empty()) {
            if (!is_name(word)) { return fail(error_code::invalid_argument, "a request begins with a command"); }
            out.command = word;
            continue;
        }
        if (out.parameters.size() + 1 >= max_words) { return fail(error_code::invalid_argument, "too many words"); }
        if (auto added = add_word(out, word); !added) { return tl::unexpected<error>(added.error()); }
    }
    return out;
}

std::string to_line(const request& r) {
    std::string line = r.command;
    for (const auto& [name, value] : r.parameters) { line += " " + name + "=" + value; }
    return line;
}

std::string frame_request(std::string_view line) {
    std::string out(request_magic);
    put(out, static_cast<std::uint32_t>(line.size()));
    return out += line;
}

result<std::size_t> read_request_header(std::string_view header) {
    if (auto known = check_magic(header, request_magic); !known) { return tl::unexpected<error>(known.error()); }
    if (header.size() < request_header_bytes) { return fail(error_code::unreadable, "the request ends early"); }
    const auto size = get<std::uint32_t>(header.substr(magic_bytes));
    if (size == 0) { return fail(error_code::unreadable, "the request is empty"); }
    if (size > max_request_bytes) { return fail(error_code::limit, "the request is too long"); }
    return size;
}

std::string frame_answer_header(const result<std::string>& answer) {
    std::string out(answer_magic);
    put(out, answer ? std::uint32_t{0} : 1 + static_cast<std::uint32_t>(answer.error().code));
    put(out, static_cast<std::uint64_t>(answer ? answer->size() : refusal_text(answer.error()).size()));
    return out;
}

result<answer_header> read_answer_header(std::string_view header) {
    if (auto known = check_magic(header, answer_magic); !known) { return tl::unexpected<error>(known.error()); }
    if (header.size() < answer_header_bytes) { return fail(error_code::unreadable, "the answer ends early"); }
    const auto status = get<std::uint32_t>(header.substr(magic_bytes));
    answer_header out;
    out.is_fine = status == 0;
    out.code = status == 0 || status > last_status ? error_code::unreadable : static_cast<error_code>(status - 1);
    out.body_bytes = get<std::uint64_t>(header.substr(magic_bytes + 4));
    if (out.body_bytes > (out.is_fine ? max_answer_bytes : max_refusal_bytes)) {
        return fail(error_code::limit, "the answer is too long");
    }
    return out;
}

std::string refusal_text(const error& e) {
    std::string text = e.message().substr(0, max_refusal_bytes);
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
    return text;
}

std::string_view field(std::string_view lines, std::string_view name) noexcept {
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find('\n'), lines.size());
        const std::string_view line = lines.substr(0, end);
        if (line.size() > name.size() && line[name.size()] == '=' && line.substr(0, name.size()) == name) {
            return line.substr(name.size() + 1);
        }
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
    return {};
}

void add_field(std::string& lines, std::string_view name, std::string_view value) {
    lines.append(name).append("=");
    for (const char c : value) { lines += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c; }
    lines += '\n';
}

}  // namespace control
}  // namespace v1
}  // namespace memwatch
