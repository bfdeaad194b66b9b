// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "unit/serve/plain_client.hpp"

using namespace memwatch_test;

namespace {

std::set<int> open_descriptors() {
    std::set<int> out;
    for (int i = 0; i < 256; ++i) {
        if (::fcntl(i, F_GETFD) >= 0) { out.insert(i); }
    }
    return out;
}

}  // namespace

TEST_CASE("http_server: answers on IPv4 and IPv6, keeps connections, takes pipelined requests") {
    for (const char* listen : {"127.0.0.1:0", "[::1]:0"}) {
        const auto server = start(listen);
        REQUIRE(server->is_listening());
        REQUIRE(server->address().port != 0);
        client c(server->address());
        REQUIRE(c.is_connected());
        for (int i = 0; i < 3; ++i) {
            REQUIRE(c.send(get("/a" + std::to_string(i))));
            CHECK(contains(c.receive("GET /a" + std::to_string(i)), "HTTP/1.1 200 OK"));
        }
        REQUIRE(c.send(get("/one") + get("/two") + "GET /three HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        const std::string all = c.receive("<never>");
        CHECK(contains(all, "GET /one"));
        CHECK(contains(all, "GET /three"));
        CHECK(contains(all, "<closed>"));
    }
}

TEST_CASE("http_server: a POST body arrives, HTTP/1.0 closes, a HEAD keeps its length") {
    const auto server = start("127.0.0.1:0", {}, [](const memwatch::http_request& r) {
        auto out = echo(r);
        if (r.method == "HEAD") {
            out.headers.emplace_back("Content-Length", "123");
            out.body.clear();
        }
        return out;
    });
    client post(server->address());
    REQUIRE(post.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"));
    CHECK(contains(post.receive("hello"), "POST /p hello"));
    REQUIRE(post.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(contains(post.receive(), "Content-Length: 123\r\n"));
    REQUIRE(post.send(get("/after-head")));
    CHECK(contains(post.receive("/after-head"), "HTTP/1.1 200"));
    client old(server->address());
    REQUIRE(old.send("GET /old HTTP/1.0\r\n\r\n"));
    CHECK(contains(old.receive("<never>"), "GET /old <closed>"));
}

TEST_CASE("http_server: what is too large or no HTTP is refused with a status") {
    serve::http_limits limits;
    limits.max_head_bytes = 1024;
    limits.max_body_bytes = 100;
    const auto server = start("127.0.0.1:0", limits);
    struct row {
        std::string sent;
        const char* status;
    };
    const row rows[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n", "HTTP/1.1 431"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x'), "HTTP/1.1 413"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n", "HTTP/1.1 413"},
        {"nonsense\r\n\r\n", "HTTP/1.1 400"},
        {"GET / HTTP/3.7\r\n\r\n", "HTTP/1.1 400"},
        {std::string("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 28), "HTTP/1.1 400"},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400"},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", "HTTP/1.1 400"},  // TLS
    };
    for (const row& r : rows) {
        INFO(r.sent.substr(0, 60));
        client c(server->address());
        c.send(r.sent);
        const std::string answer = c.receive("<never>");
        CHECK(contains(answer, r.status));
        CHECK(contains(answer, "<closed>"));
    }
    client after(server->address());
    REQUIRE(after.send(get("/still-there")));
    CHECK(contains(after.receive("/still-there"), "200 OK"));
}

TEST_CASE("http_server: a request that drips in is cut off, and others are served meanwhile") {
    serve::http_limits limits;
    limits.read_ms = 300;
    limits.idle_ms = 300;
    const auto server = start("127.0.0.1:0", limits);
    client loris(server->address());
    const auto begun = std::chrono::steady_clock::now();
    std::thread dripping([&] {
        for (const char c : std::string("GET /loris HTTP/1.1\r\nHost: x\r\nX: " + std::string(1000, 'y'))) {
            if (!loris.send(std::string(1, c))) { return; }
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    });
    client good(server->address());
    REQUIRE(good.send(get("/good")));
    CHECK(contains(good.receive("/good"), "200 OK"));
    CHECK(loris.receive() == "<closed>");
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(4));
    CHECK(good.receive("<never>") == "<closed>");  // idle
    dripping.join();
}

TEST_CASE("http_server: idle connections make room for new ones") {
    serve::http_limits limits;
    limits.max_connections = 4;
    const auto server = start("127.0.0.1:0", limits);
    std::vector<std::unique_ptr<client>> idle;
    for (int i = 0; i < 20; ++i) {
        idle.push_back(std::make_unique<client>(server->address()));
        REQUIRE(idle.back()->is_connected());
    }
    client fresh(server->address());
    REQUIRE(fresh.send(get("/fresh")));
    CHECK(contains(fresh.receive("/fresh"), "200 OK"));
    CHECK(idle.front()->receive() == "<closed>");
}

TEST_CASE("http_server: a client that never reads is dropped and does not hold up others") {
    serve::http_limits limits;
    limits.write_ms = 300;
    const auto server = start("127.0.0.1:0", limits, [](const memwatch::http_request& r) {
        auto out = echo(r);
        if (r.target == "/large") { out.body.assign(64 << 20, 'x'); }
        return out;
    });
    client deaf(server->address());
    REQUIRE(deaf.send(get("/large")));
    client good(server->address());
    REQUIRE(good.send(get("/good")));
    CHECK(contains(good.receive("/good"), "200 OK"));
    std::this_thread::sleep_for(std::chrono::milliseconds(600));  // past write_ms: what is tested is a timeout
    const std::string got = deaf.receive("<never>");
    CHECK(contains(got, "<closed>"));
    CHECK(got.size() < (64U << 20));
}

TEST_CASE("http_server: a client that hangs up at once raises no SIGPIPE and harms nobody") {
    const auto server = start("127.0.0.1:0");
    for (int i = 0; i < 50; ++i) {
        client c(server->address());
        c.send(get("/bye"));
    }
    client good(server->address());
    REQUIRE(good.send(get("/good")));
    CHECK(contains(good.receive("/good"), "200 OK"));
}

TEST_CASE("http_server: a port in use and a foreign address are errors in words") {
    const auto first = start("127.0.0.1:0");
    const auto second = serve::http_server::start(first->address(), &echo);
    REQUIRE_FALSE(second);
    CHECK(contains(second.error().message(), first->address().to_string() + ": the port is already in use"));
    const auto foreign = serve::http_server::start(*serve::parse_listen_address("192.0.2.1:0"), &echo);
    REQUIRE_FALSE(foreign);
    CHECK(contains(foreign.error().message(), "192.0.2.1:0: cannot listen: "));
}

TEST_CASE("http_server: stop ends connections, frees the port and every descriptor, and is idempotent") {
    const std::set<int> before = open_descriptors();
    serve::listen_address address;
    {
        const auto server = start("127.0.0.1:0");
        address = server->address();
        client idle(address);
        client half(address);
        REQUIRE(half.send("GET / HT"));
        REQUIRE(idle.send(get("/x")));
        REQUIRE(contains(idle.receive("/x"), "200 OK"));
        server->stop();
        CHECK_FALSE(server->is_listening());
        CHECK(idle.receive() == "<closed>");
        CHECK(half.receive() == "<closed>");
        CHECK_FALSE(client(address).is_connected());
        server->stop();
    }
    CHECK(open_descriptors() == before);
    const auto again = serve::http_server::start(address, &echo);
    CHECK(again.has_value());
}

TEST_CASE("http_server: its thread takes no signals") {
    std::atomic<bool> is_blocked{false};
    const auto server = start("127.0.0.1:0", {}, [&](const memwatch::http_request& r) {
        sigset_t now;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
        is_blocked =
            ::sigismember(&now, SIGTERM) == 1 && ::sigismember(&now, SIGCHLD) == 1 && ::sigismember(&now, SIGPIPE) == 1;
        return echo(r);
    });
    sigset_t mine;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mine);
    CHECK(::sigismember(&mine, SIGTERM) == 0);  // the caller's mask is as before
    client c(server->address());
    REQUIRE(c.send(get("/x")));
    c.receive("/x");
    CHECK(is_blocked);
}

TEST_CASE("http_server: descriptors are close-on-exec, and a forked child has none of them") {
    const std::set<int> before = open_descriptors();
    auto server = start("127.0.0.1:0");
    client c(server->address());
    REQUIRE(c.send(get("/x")));
    REQUIRE(contains(c.receive("/x"), "200 OK"));
    const std::set<int> now = open_descriptors();
    std::set<int> servers;
    for (const int descriptor : now) {
        if (before.count(descriptor) != 0) { continue; }
        if ((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0) { servers.insert(descriptor); }
    }
    CHECK(servers.size() == now.size() - before.size() - 1);  // all but the client's own

    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        for (const int descriptor : servers) {
            if (::fcntl(descriptor, F_GETFD) >= 0) { ::_exit(2); }
        }
        if (server->is_listening()) { ::_exit(3); }
        server->stop();
        server.reset();  // neither joins a thread that is not there nor closes numbers that belong to others
#ifdef __SANITIZE_THREAD__
        ::_exit(0);  // TSan ends a process that starts threads after a fork with threads
#else
        auto own = serve::http_server::start(*serve::parse_listen_address("127.0.0.1:0"), &echo);
        ::_exit(own && (*own)->is_listening() ? 0 : 4);
#endif
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
    REQUIRE(c.send(get("/parent")));
    CHECK(contains(c.receive("/parent"), "200 OK"));  // the parent's connection did not notice
}
