// SPDX-License-Identifier: Apache-2.0
#pragma once
// memwatch's routes as a function from request to response, so that a service can mount them in the server it already has.
//
// In: method, target, the headers that matter. Out: status, headers, body. Threads: any, concurrently. Never throws; an
// unknown route is a 404, a wrong method a 405, a bad parameter a 400 that names it. GET never changes state.

#ifdef MEMWATCH_DISABLE
#include <memwatch/none.hpp>
#else
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/session.hpp>

namespace memwatch {
inline namespace v1 {

// What of a request the routes look at. Nothing in it is believed.
struct http_request {
    std::string method;                                        // "GET"
    std::string target;                                        // "/debug/memtrace?top=20", origin form
    std::vector<std::pair<std::string, std::string>> headers;  // names in any case
    std::string body;
};

// To be sent as it is.
struct http_response {
    unsigned status{200};
    std::vector<std::pair<std::string, std::string>> headers;  // Content-Type and the security headers included
    std::string body;
};

// What http_handler() makes: copy it freely, call it from any thread.
using http_handler_function = std::function<http_response(const http_request&)>;

// The handler for all routes of docs/endpoints.md. Refers to the process-wide session; outliving `s` is fine (routes that need
// live state then answer 503).
[[nodiscard]] MEMWATCH_API http_handler_function http_handler(const session& s);

}  // namespace v1
}  // namespace memwatch
#endif
