// SPDX-License-Identifier: Apache-2.0
// This program is a publisher itself, its variable in static TLS and exported (local-exec, as an executable has it). Publishers
// in shared objects: tests/e2e/tracing.
#include "platform/otel_context.hpp"

#include <sys/time.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

using namespace memwatch;

extern "C" {
struct test_record {
    unsigned char trace_id[16];
    unsigned char span_id[8];
    unsigned char valid;
    unsigned char trace_flags;
    std::uint16_t attributes_bytes;
};
__attribute__((visibility("default"))) __thread test_record* volatile otel_thread_ctx_v1 = nullptr;
}

namespace {

void write(test_record& record, unsigned char digit) {
    auto* const valid = static_cast<volatile unsigned char*>(&record.valid);
    *valid = 0;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // total order with the interrupted thread
    std::memset(record.trace_id, digit, sizeof record.trace_id);
    std::memset(record.span_id, digit, sizeof record.span_id);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // total order: as above
    *valid = 1;
}

test_record changing{};
volatile sig_atomic_t changes = 0;

void change(int) {
    changes = changes + 1;
    write(changing, static_cast<unsigned char>(changes % 200 + 1));
}

bool is_pure(const platform::otel_ids& ids) {
    for (const unsigned char each : ids.trace_id) {
        if (each != ids.trace_id[0]) { return false; }
    }
    for (const unsigned char each : ids.span_id) {
        if (each != ids.trace_id[0]) { return false; }
    }
    return true;
}

}  // namespace

TEST_CASE("otel_context: found in static TLS, at one offset for all threads, and read where it is valid", "[platform]") {
    const platform::otel_context_place place = platform::find_otel_context();
    REQUIRE(place.publisher == platform::otel_publisher::found);
    REQUIRE(place.offset != 0);
    platform::otel_ids ids{};
    CHECK_FALSE(platform::read_otel_context(place.offset, ids));
    test_record record{};
    write(record, 7);
    otel_thread_ctx_v1 = &record;
    REQUIRE(platform::read_otel_context(place.offset, ids));
    CHECK(ids.trace_id[0] == 7);
    CHECK(ids.span_id[7] == 7);
    record.valid = 0;
    CHECK_FALSE(platform::read_otel_context(place.offset, ids));
    std::thread([&] {
        CHECK(platform::find_otel_context().offset == place.offset);
        platform::otel_ids none{};
        CHECK_FALSE(platform::read_otel_context(place.offset, none));
    }).join();
    otel_thread_ctx_v1 = nullptr;
}

TEST_CASE("otel_context: a record that a signal handler rewrites is seen whole or not at all", "[platform]") {
    const platform::otel_context_place place = platform::find_otel_context();
    REQUIRE(place.offset != 0);
    write(changing, 1);
    otel_thread_ctx_v1 = &changing;
    struct sigaction action {};
    action.sa_handler = &change;
    action.sa_flags = SA_RESTART;
    REQUIRE(sigaction(SIGALRM, &action, nullptr) == 0);
    const itimerval often{{0, 50}, {0, 50}};
    REQUIRE(setitimer(ITIMER_REAL, &often, nullptr) == 0);
    std::uint64_t mixtures = 0;
    std::uint64_t seen = 0;
    while (changes < 4000) {  // nearly each change meets a copy underway
        platform::otel_ids ids{};
        if (!platform::read_otel_context(place.offset, ids)) { continue; }
        ++seen;
        mixtures += is_pure(ids) ? 0 : 1;
    }
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    otel_thread_ctx_v1 = nullptr;
    CHECK(seen > 1000);
    CHECK(mixtures == 0);
}

TEST_CASE("otel_context: looking again is asked for when modules changed", "[platform]") {
    CHECK(platform::module_changes() > 0);
    CHECK(platform::module_changes() == platform::module_changes());
}
