// SPDX-License-Identifier: Apache-2.0
// A service that does what its stdin says, one command a line, one JSON object as the answer; http_e2e.py drives it.
//   cache N | drop N   N blocks of 1000 bytes under the tag "order-cache", allocated for one trace and route
//   pool N             N objects out of the pool "sessions"
//   odd-names          tags and pools whose names need escaping
//   secrets N          N blocks under a tag, a route, a pool and a thread with secrets in their names
//   second | stop      a second server on the port of the first; stop the first
//   fork               a child that sleeps until killed; tells how many of the server's descriptors it has
//   signals            whether SIGUSR1 and SIGUSR2 ran on the main thread only

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/alloc/object_pool.hpp>
#include <memwatch/alloc/tracked_allocator.hpp>
#include <memwatch/capture/tag.hpp>
#include <memwatch/capture/trace_context.hpp>
#include <memwatch/serve/server.hpp>
#include <memwatch/session.hpp>

namespace victim {

struct client_session {
    char state[64];
};

using block = std::vector<char, memwatch::tracked_allocator<char>>;

std::atomic<int> foreign_signals{0};
pthread_t main_thread;

void on_signal(int) {
    if (::pthread_equal(::pthread_self(), main_thread) == 0) { foreign_signals.fetch_add(1, std::memory_order_relaxed); }
}

[[gnu::noinline]] void fill_cache(std::vector<block>& cache, memwatch::tag tag, std::size_t count) {
    memwatch::trace_scope scope("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "/api/v2/orders");
    for (std::size_t i = 0; i < count; ++i) { cache.emplace_back(1000, 'x', memwatch::tracked_allocator<char>(tag)); }
}

std::string to_json(const memwatch::server_status& status, std::uint16_t port) {
    return std::string("{\"listening\":") + (status.is_listening ? "true" : "false") + ",\"address\":\"" + status.address +
           "\",\"port\":" + std::to_string(port) + ",\"debug_address\":\"" + status.debug_address + "\",\"detail\":\"" +
           status.detail + "\"}";
}

// Tags and pools live as long as the process; so do these blocks. Returns where they are.
std::string keep_secrets(std::size_t count) {
    static auto& kept = *new std::vector<block>;
    static auto& pool = *new memwatch::object_pool<client_session>("conn postgres://app:HUNTER2@db");
    static_cast<void>(pool.acquire());
    std::thread([&] {
        ::pthread_setname_np(::pthread_self(), "token=HUNTER2");
        memwatch::trace_scope scope("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "/login?api_key=HUNTER2&next=/");
        for (std::size_t i = 0; i < count; ++i) {
            kept.emplace_back(1000, 'x', memwatch::tracked_allocator<char>(memwatch::tag("user password=HUNTER2")));
            kept.emplace_back(10, 'x', memwatch::tracked_allocator<char>(memwatch::tag("cache_key=visible")));
        }
        memwatch::trace_scope payment("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "/pay?customer_iban=HUNTER3");
        kept.emplace_back(5000, 'x', memwatch::tracked_allocator<char>(memwatch::tag("iban=HUNTER3")));
    }).join();
    std::string addresses;
    for (const block& each : kept) { addresses += std::to_string(reinterpret_cast<std::uintptr_t>(each.data())) + " "; }
    return addresses;
}

// Without files: the worker reads some of /proc at any moment, and their numbers are somebody else's the next.
std::set<int> descriptors() {
    std::set<int> out;
    for (int i = 3; i < 256; ++i) {
        struct stat info {};
        if (::fstat(i, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) { out.insert(i); }
    }
    return out;
}

// How many of `servers` are open in a child, and the child, which sleeps on with whatever it has.
std::string fork_a_sleeper(const std::set<int>& servers) {
    int answer[2];
    if (::pipe(answer) != 0) { return "{}"; }
    const pid_t child = ::fork();
    if (child == 0) {
        char count = 0;
        for (const int descriptor : servers) { count = static_cast<char>(count + (::fcntl(descriptor, F_GETFD) >= 0 ? 1 : 0)); }
        if (::write(answer[1], &count, 1) != 1) { ::_exit(1); }
        ::close(STDIN_FILENO);
        ::close(STDOUT_FILENO);
        ::close(STDERR_FILENO);  // whoever reads our output must not wait for a sleeper
        ::sleep(60);
        ::_exit(0);
    }
    char count = -1;
    if (::read(answer[0], &count, 1) != 1) { count = -1; }
    ::close(answer[0]);
    ::close(answer[1]);
    return "{\"child\":" + std::to_string(child) + ",\"inherited\":" + std::to_string(static_cast<int>(count)) + "}";
}

}  // namespace victim

int main() {
    victim::main_thread = ::pthread_self();
    ::signal(SIGUSR1, &victim::on_signal);
    ::signal(SIGUSR2, &victim::on_signal);
    const std::set<int> before = victim::descriptors();

    memwatch::options options;
    options.service = "e2e";
    options.interval_bytes = 4096;
    auto session = memwatch::session::start(options);
    auto server = memwatch::server::start(session);
    std::set<int> servers;
    for (const int each : victim::descriptors()) {
        if (before.count(each) == 0) { servers.insert(each); }
    }

    const memwatch::tag tag("order-cache");
    std::vector<victim::block> cache;
    memwatch::object_pool<victim::client_session> pool("sessions");
    std::vector<decltype(pool.acquire())> out_of_pool;
    std::vector<std::unique_ptr<memwatch::object_pool<int>>> odd_pools;
    std::vector<victim::block> odd_blocks;

    std::cout << victim::to_json(server.status(), server.port()) << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string command;
        std::size_t count = 0;
        words >> command >> count;
        std::string answer = "{\"ok\":true}";
        if (command == "cache") {
            victim::fill_cache(cache, tag, count);
        } else if (command == "drop") {
            cache.resize(cache.size() - count);
        } else if (command == "pool") {
            while (out_of_pool.size() < count) { out_of_pool.push_back(pool.acquire()); }
        } else if (command == "odd-names") {
            for (const char* name : {"odd \"quoted\"", "odd\nline", "odd\\slash", "odd \xFF\xFE", "other", ""}) {
                odd_blocks.emplace_back(10, 'x', memwatch::tracked_allocator<char>(memwatch::tag(name)));
                odd_pools.push_back(std::make_unique<memwatch::object_pool<int>>(name));
                odd_pools.push_back(std::make_unique<memwatch::object_pool<int>>(name));
            }
        } else if (command == "secrets") {
            answer = "{\"addresses\":\"" + victim::keep_secrets(count) + "\"}";
        } else if (command == "second") {
            memwatch::server_options same;
            ::setenv("MEMWATCH_LISTEN", server.status().address.c_str(), 1);
            const auto second = memwatch::server::start(session, same);
            answer = victim::to_json(second.status(), second.port());
        } else if (command == "stop") {
            server.stop();
            answer = victim::to_json(server.status(), server.port());
        } else if (command == "fork") {
            answer = victim::fork_a_sleeper(servers);
        } else if (command == "signals") {
            answer = std::string("{\"on_main_thread_only\":") +
                     (victim::foreign_signals.load(std::memory_order_relaxed) == 0 ? "true" : "false") + "}";
        }
        std::cout << answer << std::endl;
    }
    return 0;
}
