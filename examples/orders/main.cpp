// SPDX-License-Identifier: Apache-2.0
// An order service with a leak in it, watched by memwatch. What memwatch needs of a service stands in three places: here (a
// session and its server), in service.cpp (the trace of each request) and in the components (a tag each).

#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <exception>
#include <memwatch/memwatch.hpp>
#include <memwatch/serve/server.hpp>
#include <string>

#include "http_server.hpp"
#include "options.hpp"
#include "service.hpp"

namespace {

// SIGINT and SIGTERM, for every thread started after this: main waits for them instead of being interrupted.
sigset_t block_stop_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

void wait_for_stop(const sigset_t& signals, std::chrono::seconds at_most) {
    if (at_most.count() == 0) {
        int received{};
        sigwait(&signals, &received);
    } else {
        const timespec limit{at_most.count(), 0};
        sigtimedwait(&signals, nullptr, &limit);
    }
}

int run(const orders::options& wanted) {
    const sigset_t signals = block_stop_signals();

    const auto session = memwatch::session::start({.service = "orders"});
    const auto memwatch_server =
        memwatch::server::start(session, {.listen = "127.0.0.1:" + std::to_string(wanted.memwatch_port)});

    orders::service service{{.worker_threads = wanted.threads, .is_fixed = wanted.is_fixed}};
    orders::http_server http{wanted.port, wanted.threads,
                             [&service](orders::request incoming, orders::http_server::respond done) {
                                 service.handle(std::move(incoming), std::move(done));
                             }};

    std::printf("orders: http://127.0.0.1:%u\n", static_cast<unsigned>(http.port()));
    const auto status = memwatch_server.status();
    if (status.is_listening) {
        std::printf("memwatch: http://%s/metrics http://%s/debug/memtrace\n", status.address.c_str(), status.address.c_str());
    } else {
        std::printf("memwatch: not listening: %s\n", status.detail.c_str());
    }
    std::fflush(stdout);

    wait_for_stop(signals, wanted.duration);
    std::printf("orders: stopping\n");
    http.stop();  // before the service, whose workers may still have answers to give
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::string problem;
    const auto wanted = orders::parse_options(argc, argv, problem);
    if (!wanted) {
        std::fprintf(stderr, "orders: %s\n%s", problem.c_str(), orders::usage);
        return 2;
    }
    try {
        return run(*wanted);
    } catch (const std::exception& failed) {
        std::fprintf(stderr, "orders: %s\n", failed.what());
        return 1;
    }
}
