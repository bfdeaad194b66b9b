// SPDX-License-Identifier: Apache-2.0
#include "cli/url.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::string_view snapshot_route = "/debug/memtrace/snapshot";
constexpr std::string_view debug_route = "/debug/memtrace";

bool has_parameter(std::string_view query, std::string_view name) {
    for (std::size_t at = 0; at <= query.size();) {
        const std::size_t end = std::min(query.find('&', at), query.size());
        const std::string_view part = query.substr(at, end - at);
        if (part.substr(0, part.find('=')) == name) { return true; }
        at = end + 1;
    }
    return false;
}

}  // namespace

bool is_url(const std::string& argument) {
    if (argument.find("://") != std::string::npos || argument.compare(0, 6, "unix:/") == 0) { return true; }
    if (argument.find('/') != std::string::npos || argument.rfind(':') == std::string::npos) { return false; }
    std::error_code ignored;
    return !std::filesystem::exists(argument, ignored) && is_port(argument.substr(argument.rfind(':') + 1));
}

http_url snapshot_url(http_url base, const snapshot_query& query) {
    const std::size_t mark = base.target.find('?');
    std::string path = base.target.substr(0, mark);
    std::string parameters = mark == std::string::npos ? std::string() : base.target.substr(mark + 1);
    while (!path.empty() && path.back() == '/') { path.pop_back(); }
    if (path.ends_with(debug_route)) { path.resize(path.size() - debug_route.size()); }
    if (!path.ends_with(snapshot_route)) { path += snapshot_route; }
    const std::pair<const char*, const std::string*> wanted[] = {
        {"format", &query.format}, {"label", &query.label}, {"seconds", &query.seconds}, {"past", &query.past}};
    for (const auto& [name, value] : wanted) {
        if (value->empty() || has_parameter(parameters, name)) { continue; }
        parameters += (parameters.empty() ? "" : "&") + std::string(name) + "=" + percent_encoded(*value);
    }
    base.target = path + "?" + parameters;
    return base;
}

http_url debug_url(http_url base, std::string_view route, std::string_view query) {
    std::string path = base.target.substr(0, base.target.find('?'));
    while (!path.empty() && path.back() == '/') { path.pop_back(); }
    const std::string wanted = std::string(debug_route) + "/" + std::string(route);
    if (path.ends_with(debug_route)) { path.resize(path.size() - debug_route.size()); }
    if (!path.ends_with(wanted)) { path += wanted; }
    base.target = query.empty() ? path : path + "?" + std::string(query);
    return base;
}

}  // namespace v1
}  // namespace memwatch
