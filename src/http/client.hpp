// SPDX-License-Identifier: Apache-2.0
#pragma once
// One GET or POST. No redirects, no cookies, no proxies: the answer comes from the address that was typed, or not at all.
//
// In: an address, limits. Out: the answer, or why there is none. Threads: any; a client is one thread's at a time. Sockets are
// close-on-exec; what else a guest in another process owes for them (fork) is up to who keeps them, `socket_keeper`.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <memwatch/base/result.hpp>

#include "http/url.hpp"

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

// Who makes a client's sockets, and is told when one goes.
class socket_keeper {
public:
    virtual ~socket_keeper() = default;
    // Non-blocking and close-on-exec; -1: the system refused.
    [[nodiscard]] virtual int open(int family) = 0;
    // The client's event loop watches it now.
    virtual void watched(int) {}
    // Runs `close`, which closes it.
    virtual void close(int descriptor, const std::function<void()>& close) = 0;
};

// For exchanges one after the other; the free functions below make one each.
class http_client {
public:
    // Null: nobody else cares for the sockets.
    explicit http_client(socket_keeper* keeper = nullptr);
    ~http_client();
    http_client(const http_client&) = delete;
    http_client& operator=(const http_client&) = delete;

    // Errors: as http_ask() and http_post_json().
    [[nodiscard]] result<http_answer> ask(const http_url& url, const http_limits& limits = {});
    [[nodiscard]] result<std::string> post_json(const http_url& url, const std::string& body, const http_limits& limits = {});

private:
    class impl;
    const std::unique_ptr<impl> impl_;
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
