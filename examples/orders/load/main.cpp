// SPDX-License-Identifier: Apache-2.0
// orders-load: steady traffic for the order service, over keep-alive connections, each request with a traceparent header of its
// own. Ends by itself, at the time limit or the request limit, whichever comes first, or on SIGINT and SIGTERM.
//
// The rate is kept by schedule: request i of a connection starts at i x (connections / rate), so a slow answer delays what is
// behind it but never lowers the average. Exit status: 0 fine, 1 when any request failed, 2 wrong usage, 4 not reachable.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "traffic.hpp"

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using tcp = boost::asio::ip::tcp;
using clock_type = std::chrono::steady_clock;

struct load_options {
    std::uint64_t port{8080};
    std::uint64_t rate{1'000};  // requests a second, all connections together
    std::uint64_t seconds{60};
    std::uint64_t requests{1'000'000};  // at most
    std::uint64_t connections{8};
    std::uint64_t seed{1};
};

constexpr const char* usage =
    "usage: orders-load [--port N] [--rate PER_SECOND] [--seconds N] [--requests AT_MOST] [--connections N] [--seed N]\n";

std::atomic<bool> is_stopping{};  // set by the signal handler: lock-free, and nothing else is published with it

struct tally {
    std::uint64_t sent{};
    std::uint64_t failed{};  // no answer, or a 5xx
    std::vector<float> latencies_ms;
    bool was_connected{};
};

// One connection, blocking: sends what `customer` asks for and waits for the answer.
class client {
public:
    explicit client(const load_options& wanted, unsigned stream) : customer_(wanted.seed, stream) {
        stream_.connect(tcp::endpoint{boost::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(wanted.port)});
        stream_.socket().set_option(tcp::no_delay{true});
    }

    // The status of the answer. Throws boost::system::system_error when the connection broke.
    unsigned send_next() {
        const orders::load::planned_request planned = customer_.next();
        http::request<http::string_body> out{planned.is_post ? http::verb::post : http::verb::get, planned.target, 11};
        out.set(http::field::host, "127.0.0.1");
        out.set("traceparent", customer_.traceparent());
        if (!planned.idempotency_key.empty()) { out.set("Idempotency-Key", planned.idempotency_key); }
        if (!session_.empty()) { out.set("X-Session", session_); }
        out.body() = planned.body;
        out.prepare_payload();
        http::write(stream_, out);
        http::response<http::string_body> in;
        http::read(stream_, buffer_, in);
        if (planned.is_login) { session_ = token_of(in.body()); }
        return in.result_int();
    }

private:
    // {"session":"TOKEN"}
    static std::string token_of(const std::string& body) {
        const std::size_t end = body.rfind('"');
        const std::size_t begin = end == std::string::npos || end == 0 ? end : body.rfind('"', end - 1);
        return begin == std::string::npos ? std::string{} : body.substr(begin + 1, end - begin - 1);
    }

    boost::asio::io_context io_;
    beast::tcp_stream stream_{io_};
    beast::flat_buffer buffer_;
    orders::load::traffic customer_;
    std::string session_;
};

void run_connection(const load_options& wanted, unsigned stream, clock_type::time_point start, tally& result) try {
    client connection{wanted, stream};
    result.was_connected = true;
    const auto end = start + std::chrono::seconds{wanted.seconds};
    const std::chrono::duration<double> pace{static_cast<double>(wanted.connections) / static_cast<double>(wanted.rate)};
    const std::uint64_t share = wanted.requests / wanted.connections + (stream < wanted.requests % wanted.connections ? 1 : 0);
    while (result.sent < share) {
        // Connections take turns within one pace.
        const double turn =
            static_cast<double>(result.sent) + static_cast<double>(stream) / static_cast<double>(wanted.connections);
        const auto due = start + std::chrono::duration_cast<clock_type::duration>(pace * turn);
        if (due >= end || is_stopping) { break; }
        std::this_thread::sleep_until(due);
        const auto begin = clock_type::now();
        ++result.sent;
        if (connection.send_next() >= 500) { ++result.failed; }
        result.latencies_ms.push_back(std::chrono::duration<float, std::milli>{clock_type::now() - begin}.count());
    }
} catch (const boost::system::system_error& broken) {
    ++result.failed;
    std::fprintf(stderr, "orders-load: connection %u: %s\n", stream, broken.what());
}

int report(const std::vector<tally>& results, double seconds) {
    std::uint64_t sent{}, failed{};
    std::vector<float> latencies;
    bool was_connected{};
    for (const tally& one : results) {
        sent += one.sent;
        failed += one.failed;
        latencies.insert(latencies.end(), one.latencies_ms.begin(), one.latencies_ms.end());
        was_connected = was_connected || one.was_connected;
    }
    std::sort(latencies.begin(), latencies.end());
    const auto quantile = [&](double q) {
        return latencies.empty() ? 0.0F : latencies[static_cast<std::size_t>(q * static_cast<double>(latencies.size() - 1))];
    };
    std::printf("orders-load: %llu requests in %.1f s, %llu failed, latency p50 %.2f ms, p99 %.2f ms\n",
                static_cast<unsigned long long>(sent), seconds, static_cast<unsigned long long>(failed),
                static_cast<double>(quantile(0.50)), static_cast<double>(quantile(0.99)));
    if (!was_connected) { return 4; }
    return failed == 0 ? 0 : 1;
}

bool parse(int argc, char** argv, load_options& wanted) {
    const struct {
        std::string_view name;
        std::uint64_t& value;
        std::uint64_t most;
    } known[] = {{"--port", wanted.port, 65'535},
                 {"--rate", wanted.rate, 100'000},
                 {"--seconds", wanted.seconds, 86'400},
                 {"--requests", wanted.requests, 1'000'000'000},
                 {"--connections", wanted.connections, 256},
                 {"--seed", wanted.seed, ~std::uint64_t{0}}};
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name{argv[i]};
        const std::string_view text{i + 1 < argc ? argv[i + 1] : ""};
        const auto* option = std::find_if(std::begin(known), std::end(known), [&](const auto& k) { return k.name == name; });
        if (option == std::end(known)) { return false; }
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), option->value);
        if (error != std::errc{} || end != text.data() + text.size() || option->value == 0 || option->value > option->most) {
            return false;
        }
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    load_options wanted;
    if (!parse(argc, argv, wanted)) {
        std::fputs(usage, stderr);
        return 2;
    }
    struct sigaction on_stop {};
    on_stop.sa_handler = [](int) { is_stopping = true; };
    sigaction(SIGINT, &on_stop, nullptr);
    sigaction(SIGTERM, &on_stop, nullptr);

    const auto start = clock_type::now();
    std::vector<tally> results(wanted.connections);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < wanted.connections; ++i) {
        threads.emplace_back([&, i] { run_connection(wanted, i, start, results[i]); });
    }
    for (std::thread& thread : threads) { thread.join(); }
    return report(results, std::chrono::duration<double>{clock_type::now() - start}.count());
}
