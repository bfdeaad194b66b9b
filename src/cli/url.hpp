// SPDX-License-Identifier: Apache-2.0
#pragma once
// What an argument of the command line means: an address or a file; and what to ask of the service at an address.
//
// In: text from the command line. Out: yes or no, an http_url (http/url.hpp). Threads: any.

#include <string>

#include "http/url.hpp"

namespace memwatch {
inline namespace v1 {

// Whether an argument means an address rather than a file: a scheme, unix:/path, or host:port without a slash that isn't a file
// here.
[[nodiscard]] bool is_url(const std::string& argument);

// What to ask the service at `base` for. A base ("http://host:9467", ".../debug/memtrace") gets the snapshot route; a target
// that names the route already keeps its query. The members are added unless the query has them or they are empty.
struct snapshot_query {
    std::string format = "memtrace";
    std::string label;
    std::string seconds;
    std::string past = {};  // "2h": of the service's history, the one that is so old
};
[[nodiscard]] http_url snapshot_url(http_url base, const snapshot_query& query);

// The debug route "footprint" of the service at `base`, with that query ("detail=1"; may be empty). A base as above.
[[nodiscard]] http_url debug_url(http_url base, std::string_view route, std::string_view query);

}  // namespace v1
}  // namespace memwatch
