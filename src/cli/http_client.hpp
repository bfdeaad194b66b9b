// SPDX-License-Identifier: Apache-2.0
#pragma once
// One GET or POST. No redirects, no cookies, no proxies: the answer comes from the address that was typed, or not at all.

#include <chrono>
#include <cstdint>
#include <string>

#include <memwatch/base/result.hpp>

#include "cli/url.hpp"

namespace memwatch {
inline namespace v1 {

struct http_limits {
    std::chrono::milliseconds connect{5'000};
    std::chrono::milliseconds answer{30'000};  // from the request to the last byte
    std::uint64_t body_bytes{std::uint64_t{4} << 30};
};

struct http_answer {
    unsigned status{};
    std::string body;
    std::uint64_t retry_after_s{};  // of a 429 or 503 that says it; 0 = did not
};

// Whatever is answered. Errors: unreachable (nobody answers, not HTTP, too slow), limit.
[[nodiscard]] result<http_answer> http_ask(const http_url& url, const http_limits& limits = {});

// An answer that is no 200 as an error of http_get().
[[nodiscard]] error refusal_of(const http_url& url, const http_answer& answer);

// The body of a 200. Errors: unreachable (nobody answers, not HTTP, too slow, 5xx), not_found (404), invalid_argument (other
// 4xx: the server refused the question), limit; `where` is the address, `what` quotes the server's first line.
[[nodiscard]] result<std::string> http_get(const http_url& url, const http_limits& limits = {});

// The body of a 2xx answer to JSON. Errors as http_get().
[[nodiscard]] result<std::string> http_post_json(const http_url& url, const std::string& body, const http_limits& limits = {});

}  // namespace v1
}  // namespace memwatch
