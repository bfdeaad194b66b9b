// SPDX-License-Identifier: Apache-2.0
#pragma once
// A request and a response as the service sees them: plain values, so that only http_server.cpp knows Boost.Beast.

#include <string>

namespace orders {

struct request {
    std::string method;           // "POST"
    std::string path;             // "/api/v2/search", without the query
    std::string query;            // "q=red+chair"
    std::string traceparent;      // W3C header; empty = none came
    std::string idempotency_key;  // Idempotency-Key header
    std::string session_token;    // X-Session header
    std::string body;             // form fields: "sku=17&quantity=2&sku=..."
};

struct response {
    unsigned status{200};
    std::string body;  // JSON
    std::string traceparent;
};

}  // namespace orders
