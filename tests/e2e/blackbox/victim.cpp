// SPDX-License-Identifier: Apache-2.0
// A service that is about to be killed: serves made-up requests, each with a trace, keeps what a cache should not keep, and, if
// asked to, takes memory faster and faster.
//
//   blackbox-victim work            until somebody ends it
//   blackbox-victim grow MIB        takes that many MiB a second, touched, beside its work
//   blackbox-victim end             a second and a half of work, then the end of main
//   blackbox-victim prefork N       N children that work; ends when they have
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>

namespace {

using steady = std::chrono::steady_clock;
using order = std::vector<char, memwatch::tracked_allocator<char>>;

std::deque<order> cache;               // never emptied
std::vector<std::vector<char>> taken;  // what `grow` takes

[[gnu::noinline]] void serve_order(unsigned number) {
    char id[33];
    std::snprintf(id, sizeof id, "%032x", number + 1);
    const memwatch::trace_scope request(id, number % 3 == 0 ? "/api/v2/orders" : "/health");
    cache.emplace_back(std::size_t{4096}, 'o', memwatch::tracked_allocator<char>{memwatch::tag("order-cache")});
}

[[gnu::noinline]] void take(double bytes) {
    if (bytes < 1) { return; }
    taken.emplace_back(static_cast<std::size_t>(bytes), 't');
}

void work_for(double seconds, double grow_bytes_per_s) {
    const auto begin = steady::now();
    auto last = begin;
    for (unsigned number = 0;; ++number) {
        const auto now = steady::now();
        if (std::chrono::duration<double>(now - begin).count() >= seconds) { return; }
        serve_order(number);
        take(grow_bytes_per_s * std::chrono::duration<double>(now - last).count());
        last = now;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

int prefork(int children) {
    for (int i = 0; i < children; ++i) {
        if (fork() == 0) {
            const memwatch::session mine = memwatch::session::start();
            work_for(2, 0);
            return 0;
        }
    }
    while (wait(nullptr) > 0) {}
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string mode = argc > 1 ? argv[1] : "work";
    memwatch::options wanted;
    wanted.service = "victim";
    wanted.interval_bytes = 64U << 10U;
    wanted.control = memwatch::control_option::off;
    const memwatch::session session = memwatch::session::start(wanted);
    std::printf("ready %d\n", static_cast<int>(getpid()));
    std::fflush(stdout);
    if (mode == "end") { return work_for(1.5, 0), 0; }
    if (mode == "prefork") { return prefork(argc > 2 ? std::atoi(argv[2]) : 2); }
    work_for(1e9, mode == "grow" && argc > 2 ? std::atof(argv[2]) * (1 << 20) : 0);
    return 0;
}
