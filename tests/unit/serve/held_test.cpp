// SPDX-License-Identifier: Apache-2.0
// What the server does with a deferred answer: waits without holding up others, and forgets it when nobody wants it any more.
// Real sockets, and real time only where time is what is tested: windows that must not end last an hour.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <string>
#include <thread>

#include "unit/serve/plain_client.hpp"

using namespace memwatch_test;

namespace {

constexpr std::uint64_t millisecond_ns = 1'000'000;
constexpr std::uint64_t hour_ns = 3'600'000'000'000;

// Counts what it deferred and what became of it; "/later?N" waits N milliseconds, "/never" an hour.
class deferring {
public:
    serve::request_handler handler() {
        return [this](const memwatch::http_request& request, const serve::requester&) -> serve::outcome {
            if (request.target == "/never") { return later(hour_ns, request.target); }
            if (request.target.rfind("/later?", 0) == 0) {
                return later(std::stoull(request.target.substr(7)) * millisecond_ns, request.target);
            }
            return echo(request);
        };
    }

    std::future<void> next_release() {
        released_ = {};
        return released_.get_future();
    }

    std::atomic<int> answered{0};

private:
    serve::deferred later(std::uint64_t after_ns, const std::string& what) {
        const std::shared_ptr<void> held(nullptr, [this](void*) { released_.set_value(); });
        return {after_ns, [this, held, what] {
                    ++answered;
                    return memwatch::http_response{200, {{"Content-Type", "text/plain"}}, "held " + what};
                }};
    }

    std::promise<void> released_;
};

bool is_released(std::future<void>& release) { return release.wait_for(std::chrono::seconds(20)) == std::future_status::ready; }

}  // namespace

TEST_CASE("held: an answer comes when its time has come, and the connection goes on") {
    deferring d;
    const auto server = serve::http_server::start(*serve::parse_listen_address("127.0.0.1:0"), d.handler());
    REQUIRE(server);
    auto release = d.next_release();
    client c((*server)->address());
    const auto begun = std::chrono::steady_clock::now();
    REQUIRE(c.send(get("/later?300")));
    CHECK(contains(c.receive("held /later?300"), "200 OK"));
    CHECK(std::chrono::steady_clock::now() - begun >= std::chrono::milliseconds(300));
    CHECK(is_released(release));
    REQUIRE(c.send(get("/next")));
    CHECK(contains(c.receive("/next"), "200 OK"));
}

TEST_CASE("held: other requests are answered while one waits") {
    deferring d;
    const auto server = serve::http_server::start(*serve::parse_listen_address("127.0.0.1:0"), d.handler());
    REQUIRE(server);
    auto release = d.next_release();
    client waiting((*server)->address());
    REQUIRE(waiting.send(get("/never")));
    for (int i = 0; i < 50; ++i) {
        client other((*server)->address());
        REQUIRE(other.send(get("/quick")));
        CHECK(contains(other.receive("/quick"), "200 OK"));
    }
    CHECK(d.answered == 0);
    (*server)->stop();
    CHECK(is_released(release));
}

TEST_CASE("held: a client that hangs up, or ends its sending side, cancels") {
    for (const bool only_half : {false, true}) {
        deferring d;
        const auto server = serve::http_server::start(*serve::parse_listen_address("127.0.0.1:0"), d.handler());
        REQUIRE(server);
        auto release = d.next_release();
        auto impatient = std::make_unique<client>((*server)->address());
        REQUIRE(impatient->send(get("/never")));
        client witness((*server)->address());  // one thread: once this is answered, the window is open
        REQUIRE(witness.send(get("/quick")));
        REQUIRE(contains(witness.receive("/quick"), "200 OK"));
        only_half ? impatient->finish() : impatient.reset();
        CHECK(is_released(release));
        CHECK(d.answered == 0);
    }
}

TEST_CASE("held: what is pipelined behind it is answered after it") {
    deferring d;
    const auto server = serve::http_server::start(*serve::parse_listen_address("127.0.0.1:0"), d.handler());
    REQUIRE(server);
    auto release = d.next_release();
    client c((*server)->address());
    REQUIRE(c.send(get("/later?200") + get("/second")));
    REQUIRE(c.send(get("/third")));
    const std::string all = c.receive("GET /third");
    CHECK(all.find("held /later?200") < all.find("GET /second"));
    CHECK(all.find("GET /second") < all.find("GET /third"));
    CHECK(is_released(release));
}

TEST_CASE("held: a client that floods while it waits is closed at its head's limit, and what it asked for is dropped") {
    serve::http_limits limits;
    limits.max_head_bytes = 4096;
    for (const std::size_t bytes : {std::size_t{4096}, std::size_t{64 * 1024}, std::size_t{1024 * 1024}}) {
        for (const bool stays : {true, false}) {
            INFO(bytes << (stays ? " and stays" : " and goes"));
            deferring d;
            const auto server = serve::http_server::start(*serve::parse_listen_address("127.0.0.1:0"), d.handler(), limits);
            REQUIRE(server);
            auto release = d.next_release();
            auto flood = std::make_unique<client>((*server)->address());
            static_cast<void>(flood->send(get("/never") + std::string(bytes, 'x')));  // it may be closed in the middle
            if (!stays) { flood.reset(); }
            CHECK(is_released(release));
            CHECK(d.answered == 0);
        }
    }
}

TEST_CASE("held: what is pipelined below the limit is still answered after it") {
    deferring d;
    serve::http_limits limits;
    limits.max_head_bytes = 4096;
    const auto server = serve::http_server::start(*serve::parse_listen_address("127.0.0.1:0"), d.handler(), limits);
    REQUIRE(server);
    auto release = d.next_release();
    client c((*server)->address());
    REQUIRE(c.send(get("/later?200") + get("/" + std::string(3000, 'y'))));
    CHECK(contains(c.receive("GET /yyy"), "held /later?200"));
    CHECK(is_released(release));
}

TEST_CASE("held: stopping the server drops what waits") {
    deferring d;
    auto server = serve::http_server::start(*serve::parse_listen_address("127.0.0.1:0"), d.handler());
    REQUIRE(server);
    auto release = d.next_release();
    client waiting((*server)->address());
    REQUIRE(waiting.send(get("/never")));
    client witness((*server)->address());
    REQUIRE(witness.send(get("/quick")));
    REQUIRE(contains(witness.receive("/quick"), "200 OK"));
    (*server)->stop();
    CHECK(is_released(release));
    CHECK(waiting.receive() == "<closed>");
    CHECK(d.answered == 0);
}
