// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where Alertmanagers take alerts. In: an address as people write it. Out: that of /api/v2/alerts there. Threads: any.

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>
#include "http/url.hpp"

namespace memwatch::inline v1::notify {

// "http://alertmanager:9093" or the address behind a prefix -> its /api/v2/alerts. Errors: invalid_argument.
[[nodiscard]] result<http_url> alertmanager_url(const std::string& argument);

// "URL,URL": all peers of a cluster, each of which is told. Errors: the first one's.
[[nodiscard]] result<std::vector<http_url>> alertmanager_urls(std::string_view list);

}  // namespace memwatch::inline v1::notify
