// SPDX-License-Identifier: Apache-2.0
// The smallest program worth watching: a cache that nobody empties. What memwatch adds to it stands in lines marked `// +`;
// README.md shows the same lines, held together by tests/contract/doc_excerpts.py.
//
//   leaky [--leak-mib-per-s=1] [--seconds=60]         then: curl -s '127.0.0.1:9467/debug/memtrace?top=3'

#include <memwatch/memwatch.hpp>      // +
#include <memwatch/serve/server.hpp>  // +

#include <chrono>
#include <cstdio>
#include <list>
#include <string_view>
#include <thread>
#include <vector>

namespace leaky {

using answer = std::vector<char, memwatch::tracked_allocator<char>>;  // +

memwatch::tag cache_tag{"leaky/cache"};  // +
std::list<answer> cache;

void handle(std::string_view traceparent, std::size_t size_bytes) {
    memwatch::trace_scope scope{traceparent, "/answers"};                               // +
    cache.emplace_back(size_bytes, 'x', memwatch::tracked_allocator<char>{cache_tag});  // +
}

}  // namespace leaky

int main(int argc, char** argv) {
    unsigned mib_per_s = 1, seconds = 60;
    for (int i = 1; i < argc; ++i) {
        if (std::sscanf(argv[i], "--leak-mib-per-s=%u", &mib_per_s) != 1 &&
            std::sscanf(argv[i], "--seconds=%u", &seconds) != 1) {
            std::fprintf(stderr, "usage: leaky [--leak-mib-per-s=N] [--seconds=N]\n");
            return 2;
        }
    }

    auto session = memwatch::session::start({.service = "leaky"});  // +
    auto server = memwatch::server::start(session);                 // +
    std::printf("http://%s/debug/memtrace\n", server.status().address.c_str());
    std::fflush(stdout);

    auto next = std::chrono::steady_clock::now();
    for (unsigned request = 0; request < seconds * 64; ++request) {
        char traceparent[56];
        std::snprintf(traceparent, sizeof traceparent, "00-%032x-%016x-01", request + 1, request + 1);
        leaky::handle(traceparent, std::size_t{mib_per_s} * 1024 * 1024 / 64);
        std::this_thread::sleep_until(next += std::chrono::microseconds{1'000'000 / 64});
    }
}
