// SPDX-License-Identifier: Apache-2.0
// A newcomer's story, S3: exact numbers for my allocator and pool. Status 0, or it says what was otherwise.
#include <unistd.h>
#include <cstdio>
#include <memory_resource>
#include <string>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/serve/http_handler.hpp>

namespace {

int failures = 0;

void check(bool is_so, const char* what) {
    if (is_so) { return; }
    std::printf("not so: %s\n", what);
    ++failures;
}

std::string ask(const memwatch::http_handler_function& handler, const char* target) {
    memwatch::http_request request;
    request.method = "GET";
    request.target = target;
    request.headers = {{"Host", "localhost"}};
    return handler(request).body;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// 64 connections of 16 KiB each, in what the cache's tag counts already.
memwatch::pool_stats stats_fn() {
    return {.capacity = 64,
            .in_use = 3,
            .high_water = 9,
            .acquires = 100,
            .acquire_failures = 1,
            .object_bytes = 16384,
            .waiters = 2,
            .oldest_checkout_ns = 5'000'000'000};
}

}  // namespace

int main() {
    ::alarm(60);
    const auto session = memwatch::session::start();
    const auto handler = memwatch::http_handler(session);
    const std::uint64_t at_start = memwatch::bytes_from_allocator(*session.summary());
    memwatch::tag cache{"cache"};
    {
        std::pmr::vector<char> v(1 << 20, 0, memwatch::resource(cache));
        auto pool = memwatch::register_pool("conn", stats_fn, {.upstream = cache});

        const std::string metrics = ask(handler, "/metrics");
        check(has(metrics, "memwatch_live_bytes{tag=\"cache\"} 1048576\n"), "live_bytes{tag=\"cache\"} is 1048576");
        for (const char* line :
             {"memwatch_pool_capacity{pool=\"conn\"} 64\n", "memwatch_pool_in_use{pool=\"conn\"} 3\n",
              "memwatch_pool_free{pool=\"conn\"} 61\n", "memwatch_pool_high_water{pool=\"conn\"} 9\n",
              "memwatch_pool_acquire_failures_total{pool=\"conn\"} 1\n", "memwatch_pool_waiters{pool=\"conn\"} 2\n",
              "memwatch_pool_oldest_checkout_seconds{pool=\"conn\"} 5\n"}) {
            check(has(metrics, line), line);
        }
        const std::string json = ask(handler, "/debug/memtrace/pools");
        for (const char* part :
             {"\"conn\"", "\"upstream\"", "\"cache\"", "\"idle_bytes\"", "\"oldest_checkout_ns\"", "\"waiters\""}) {
            check(has(json, part), part);
        }
        check(has(ask(handler, "/debug/memtrace/pools?format=text"), "conn"), "the pool's row as text");
        const std::uint64_t counted = memwatch::bytes_from_allocator(*session.summary()) - at_start;
        check(counted == 1 << 20, "the sum over tags and pools has the pool's storage once");
    }
    check(has(ask(handler, "/metrics"), "memwatch_live_bytes{tag=\"cache\"} 0\n"), "live_bytes{tag=\"cache\"} is back to 0");
    check(!has(ask(handler, "/metrics"), "pool=\"conn\""), "the pool's row is gone with its registration");
    return failures == 0 ? 0 : 1;
}
