// SPDX-License-Identifier: Apache-2.0
#include "serve/listen_address.hpp"

#include <boost/asio/ip/address.hpp>
#include <charconv>

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

constexpr std::string_view unix_scheme = "unix:";
constexpr std::size_t max_path_bytes = 107;  // sun_path, with its terminating zero

result<listen_address> parse_unix_path(std::string_view text) {
    const std::string_view path = text.substr(unix_scheme.size());
    if (path.size() < 2 || path.size() > max_path_bytes || path.front() != '/' || path.back() == '/' ||
        path.find('\0') != std::string_view::npos) {
        return fail(error_code::invalid_argument, "unix: takes an absolute path of at most 107 bytes", std::string(text));
    }
    listen_address out;
    out.path = path;
    return out;
}

}  // namespace

std::string listen_address::to_string() const {
    if (is_unix()) { return std::string(unix_scheme) + path; }
    return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

result<listen_address> parse_listen_address(std::string_view text) {
    if (text.substr(0, unix_scheme.size()) == unix_scheme) { return parse_unix_path(text); }
    const auto refusal =
        fail(error_code::invalid_argument,
             "not an address to listen on (host:port or [v6]:port, addresses only, or unix:/path)", std::string(text));
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) { return refusal; }
    const std::string_view port = text.substr(colon + 1);
    std::string host(text.substr(0, colon));
    listen_address out;
    const auto [stopped, failure] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (failure != std::errc{} || stopped != port.data() + port.size()) { return refusal; }

    out.is_v6 = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (out.is_v6) { host = host.substr(1, host.size() - 2); }
    if (host == "localhost") { host = "127.0.0.1"; }
    boost::system::error_code unreadable;
    const auto address = boost::asio::ip::make_address(host, unreadable);
    if (unreadable || address.is_v6() != out.is_v6) { return refusal; }
    out.host = address.to_string();
    out.is_loopback = address.is_loopback();
    return out;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
