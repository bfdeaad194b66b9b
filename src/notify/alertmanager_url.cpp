// SPDX-License-Identifier: Apache-2.0
#include "notify/alertmanager_url.hpp"

#include <algorithm>
#include <utility>

namespace memwatch::inline v1::notify {
namespace {

constexpr std::string_view route = "/api/v2/alerts";
constexpr std::size_t most_peers = 16;

}  // namespace

result<http_url> alertmanager_url(const std::string& argument) {
    result<http_url> url = parse_url(argument);
    if (!url) { return url; }
    if (url->target.find('?') != std::string::npos) {
        return fail(error_code::invalid_argument, "the address of an Alertmanager has no query", argument);
    }
    while (!url->target.empty() && url->target.back() == '/') { url->target.pop_back(); }
    if (!url->target.ends_with(route)) { url->target += route; }
    return url;
}

result<std::vector<http_url>> alertmanager_urls(std::string_view list) {
    std::vector<http_url> urls;
    while (!list.empty()) {
        const std::size_t end = std::min(list.find(','), list.size());
        if (end != 0) {
            result<http_url> one = alertmanager_url(std::string(list.substr(0, end)));
            if (!one) { return tl::unexpected<error>(one.error()); }
            urls.push_back(std::move(*one));
        }
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    if (urls.size() > most_peers) { return fail(error_code::invalid_argument, "more than 16 Alertmanagers", ""); }
    return urls;
}

}  // namespace memwatch::inline v1::notify
