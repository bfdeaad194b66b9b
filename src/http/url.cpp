// SPDX-License-Identifier: Apache-2.0
#include "http/url.hpp"

#include <algorithm>
#include <charconv>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::string_view http_scheme = "http://";
constexpr std::string_view unix_scheme = "unix:/";
constexpr std::size_t longest_socket_path = 107;

bool is_alphanumeric(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_host(std::string_view text) noexcept {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '.' || c == '-' || c == '_'; });
}

bool is_v6_address(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
    });
}

// "host", "host:port", "[v6]", "[v6]:port".
result<http_url> parse_authority(std::string_view text, std::string_view whole) {
    const auto refuse = [&](const char* why) { return fail(error_code::invalid_argument, why, std::string(whole)); };
    http_url url{{}, "80", "/"};
    std::string_view rest;
    if (text.substr(0, 1) == "[") {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos || !is_v6_address(text.substr(1, end - 1))) { return refuse("not an IPv6 address"); }
        url.host = text.substr(1, end - 1);
        rest = text.substr(end + 1);
    } else {
        const std::size_t colon = text.find(':');
        if (!is_host(text.substr(0, colon))) { return refuse("not a host name"); }
        url.host = text.substr(0, colon);
        rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    }
    if (rest.empty()) { return url; }
    if (rest.front() != ':' || !is_port(rest.substr(1))) { return refuse("not a port"); }
    url.port = rest.substr(1);
    return url;
}

}  // namespace

bool is_port(std::string_view text) noexcept {
    unsigned value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && value > 0 && value < 65536;
}

std::string http_url::authority() const {
    if (!socket.empty()) { return host; }
    return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

std::string http_url::address() const { return socket.empty() ? std::string(http_scheme) + authority() : "unix:" + socket; }

result<http_url> parse_url(std::string_view text) {
    const auto refuse = [&](const char* why) { return fail(error_code::invalid_argument, why, std::string(text)); };
    if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7F; })) {
        return refuse("spaces and control characters have no place in a URL");
    }
    if (text.substr(0, unix_scheme.size()) == unix_scheme) {
        const std::string_view path = text.substr(unix_scheme.size() - 1);
        if (path.size() < 2 || path.size() > longest_socket_path) {
            return refuse("not the path of a socket (107 bytes at most)");
        }
        return http_url{"localhost", "", "/", std::string(path)};
    }
    std::string_view rest = text;
    if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
        if (text.substr(0, http_scheme.size()) != http_scheme) { return refuse("only http:// is supported"); }
        rest.remove_prefix(http_scheme.size());
    }
    rest = rest.substr(0, rest.find('#'));
    const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
    if (rest.substr(0, authority_end).find('@') != std::string_view::npos) { return refuse("user names are not supported"); }
    result<http_url> url = parse_authority(rest.substr(0, authority_end), text);
    if (!url) { return url; }
    const std::string_view target = rest.substr(authority_end);
    url->target = target.substr(0, 1) == "/" ? std::string(target) : "/" + std::string(target);
    return url;
}

std::string percent_encoded(std::string_view text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        if (is_alphanumeric(c) || std::string_view("-._~").find(c) != std::string_view::npos) {
            encoded += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        encoded += {'%', digits[byte >> 4U], digits[byte & 0xFU]};
    }
    return encoded;
}

}  // namespace v1
}  // namespace memwatch
