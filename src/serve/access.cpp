// SPDX-License-Identifier: Apache-2.0
#include "serve/access.hpp"

#include <algorithm>
#include <charconv>

#include "serve/descriptors.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_equal_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && is_equal_ignoring_case(text.substr(text.size() - end.size()), end);
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) { text.remove_prefix(1); }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) { text.remove_suffix(1); }
    return text;
}

// "name:9467" -> "name", "[::1]:9467" -> "[::1]". Empty when the port is no number.
std::string_view without_port(std::string_view host) {
    const std::size_t colon = host.rfind(':');
    const std::size_t bracket = host.rfind(']');
    if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) { return host; }
    const std::string_view port = host.substr(colon + 1);
    const bool is_number = port.find_first_not_of("0123456789") == std::string_view::npos;
    return is_number ? host.substr(0, colon) : std::string_view{};
}

// 127.0.0.0/8 in the usual four-part notation.
bool is_loopback_v4(std::string_view host) {
    unsigned parts[4] = {};
    for (std::size_t i = 0; i < 4; ++i) {
        const auto [stopped, failure] = std::from_chars(host.data(), host.data() + host.size(), parts[i]);
        if (failure != std::errc{} || parts[i] > 255) { return false; }
        host.remove_prefix(static_cast<std::size_t>(stopped - host.data()));
        if (i < 3) {
            if (host.empty() || host.front() != '.') { return false; }
            host.remove_prefix(1);
        }
    }
    return host.empty() && parts[0] == 127;
}

// The authority of "http://host:port"; empty for "null" and anything else.
std::string_view origin_authority(std::string_view origin) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (origin.size() > scheme.size() && is_equal_ignoring_case(origin.substr(0, scheme.size()), scheme)) {
            return origin.substr(scheme.size());
        }
    }
    return {};
}

// An honest proxy says so, even by an empty header.
bool came_through_proxy(const http_request& request) {
    return std::any_of(request.headers.begin(), request.headers.end(), [](const auto& h) {
        return is_equal_ignoring_case(h.first, "Forwarded") || is_equal_ignoring_case(h.first, "X-Forwarded-For") ||
               is_equal_ignoring_case(h.first, "Via");
    });
}

}  // namespace

exposure exposure_of(const listen_address& where) noexcept {
    if (where.is_unix()) { return exposure::unix_socket; }
    return where.is_loopback ? exposure::loopback : exposure::network;
}

std::string_view header(const http_request& request, std::string_view name) noexcept {
    for (const auto& [key, value] : request.headers) {
        if (is_equal_ignoring_case(key, name)) { return trim(value); }
    }
    return {};
}

bool is_loopback_host(std::string_view host) noexcept {
    const std::string_view name = without_port(host);
    return is_equal_ignoring_case(name, "localhost") || ends_with_ignoring_case(name, ".localhost") || name == "[::1]" ||
           is_loopback_v4(name);
}

std::optional<refusal> check_origin(const http_request& request, const access_policy& policy) {
    const std::string_view host = header(request, "Host");
    if (policy.where == exposure::loopback && !host.empty() && !is_loopback_host(host)) {
        return refusal{403, "Host: this server listens on loopback and answers to localhost, 127.0.0.1 and [::1] only"};
    }
    const std::string_view origin = header(request, "Origin");
    if (!origin.empty() && !is_equal_ignoring_case(origin_authority(origin), host)) {
        return refusal{403, "Origin: requests from pages of other origins are refused"};
    }
    return std::nullopt;
}

std::optional<refusal> check_host_given(sensitivity what, const http_request& request, const access_policy& policy) {
    if (policy.where != exposure::loopback || what == sensitivity::open || !header(request, "Host").empty()) {
        return std::nullopt;
    }
    return refusal{403,
                   "Host: this route needs one (localhost, 127.0.0.1 or [::1]); without, only /metrics and /healthz answer"};
}

bool needs_token(sensitivity what, const http_request& request, const requester& who, exposure where) noexcept {
    if (what == sensitivity::open) { return false; }
    if (where == exposure::unix_socket) { return !who.is_own_user || came_through_proxy(request); }
    return what == sensitivity::change || where == exposure::network;
}

bool is_equal_constant_time(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) { return false; }
    unsigned char difference = 0;
    const volatile char* const left = a.data();  // volatile: the compiler must not leave early
    const volatile char* const right = b.data();
    for (std::size_t i = 0; i < a.size(); ++i) { difference |= static_cast<unsigned char>(left[i] ^ right[i]); }
    return difference == 0;
}

std::optional<refusal> check_token(const http_request& request, const access_policy& policy) {
    if (policy.token.empty()) {
        return refusal{403,
                       "this needs a token and none is configured: start the service with MEMWATCH_TOKEN, or with "
                       "MEMWATCH_TOKEN_FILE naming a file of mode 0600, and send 'Authorization: Bearer TOKEN'"};
    }
    constexpr std::string_view scheme = "Bearer ";
    const std::string_view given = header(request, "Authorization");
    const bool is_bearer = given.size() > scheme.size() && is_equal_ignoring_case(given.substr(0, scheme.size()), scheme);
    if (is_bearer && is_equal_constant_time(trim(given.substr(scheme.size())), policy.token)) { return std::nullopt; }
    return refusal{401, is_bearer ? "the bearer token is not the configured one"
                                  : "this needs the configured token: send 'Authorization: Bearer TOKEN'"};
}

result<void> check_token_form(std::string_view token) {
    const bool is_visible = std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7F; });
    if (token.size() < 16 || token.size() > 4096 || !is_visible) {
        return fail(error_code::invalid_argument, "a token is 16 to 4096 visible ASCII characters");
    }
    return {};
}

result<std::string> read_token_file(const std::string& path) {
    result<std::string> token = read_private_file(path, 4097);
    if (!token) { return token; }
    if (!token->empty() && token->back() == '\n') { token->pop_back(); }
    if (auto formed = check_token_form(*token); !formed) { return fail(formed.error().code, formed.error().what, path); }
    return token;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
