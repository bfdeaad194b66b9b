// SPDX-License-Identifier: Apache-2.0
// What tracking costs an allocation that is not a sample. Links the shared library, as an application does.
//
//   hot_path_bench                     interleaved A/B in ns: std::allocator, + sampler and edge test, + exact counters
//   hot_path_bench count WHAT N        does N pairs of WHAT and nothing else, for an instruction counter
//   (hot_path_instructions.py);
//                                      WHAT is plain | sampler | tracked
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <memwatch/memwatch.hpp>
#include "bench/interleaved.hpp"

namespace {

struct block {
    char bytes[64];
};

// tracked_allocator without its exact counters: what the sampler and the edge test cost by themselves.
struct sampler_only {
    static block* allocate(std::size_t count) {
        const std::size_t bytes = count * sizeof(block);
        void* found = nullptr;
        if (__builtin_expect(memwatch::detail::countdown_borrows(bytes), 0)) {
            found = memwatch::detail::allocate_sampled(bytes, alignof(block), 0, "block");
        }
        if (__builtin_expect(found == nullptr, 1)) { found = ::operator new(bytes); }
        return static_cast<block*>(found);
    }
    static void deallocate(block* given, std::size_t count) {
        const std::size_t bytes = count * sizeof(block);
        if (__builtin_expect(memwatch::detail::is_edge(given), 0) &&
            memwatch::detail::release_sampled(given, bytes, alignof(block), 0)) {
            return;
        }
        ::operator delete(given, bytes);
    }
};

// The pointer escapes, so that the compiler cannot pair the two calls off.
void escape(void* pointer) { asm volatile("" : : "g"(pointer) : "memory"); }

template <class Allocator>
[[gnu::noinline]] void pairs(Allocator allocator, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        block* const one = allocator.allocate(1);
        escape(one);
        allocator.deallocate(one, 1);
    }
}

void print(const char* name, const bench::comparison& c) {
    std::printf("%-44s %6.2f -> %6.2f ns   %+5.2f ns [%+5.2f .. %+5.2f]\n", name, c.a.median, c.b.median, c.difference.median,
                c.difference.low, c.difference.high);
}

int count(const char* what, std::size_t operations) {
    const memwatch::tag owner{"bench"};
    if (std::strcmp(what, "plain") == 0) {
        pairs(std::allocator<block>{}, operations);
    } else if (std::strcmp(what, "sampler") == 0) {
        pairs(sampler_only{}, operations);
    } else if (std::strcmp(what, "tracked") == 0) {
        pairs(memwatch::tracked_allocator<block>{owner}, operations);
    } else {
        return 2;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::strcmp(argv[1], "count") == 0) {
        // No session: the countdown runs in steps of 1 MiB and nothing is a sample.
        return count(argv[2], std::strtoull(argv[3], nullptr, 10));
    }
    memwatch::options wanted;
    wanted.interval_bytes = 1ULL << 40U;  // on, and practically never a sample: samples have a price of their own
    const auto session = memwatch::session::start(wanted);
    const memwatch::tag owner{"bench"};
    const auto plain = [](std::size_t n) { pairs(std::allocator<block>{}, n); };
    const auto sampler = [](std::size_t n) { pairs(sampler_only{}, n); };
    const auto tracked = [&](std::size_t n) { pairs(memwatch::tracked_allocator<block>{owner}, n); };
    constexpr std::size_t rounds = 400;
    constexpr std::size_t operations = 100'000;
    std::printf("alloc + free of 64 bytes, median of %zu interleaved rounds [10th .. 90th percentile]\n", rounds);
    print("std::allocator -> itself (the noise)", bench::compare(rounds, operations, plain, plain));
    print("std::allocator -> + sampler and edge test", bench::compare(rounds, operations, plain, sampler));
    print("+ sampler and edge test -> + exact counters", bench::compare(rounds, operations, sampler, tracked));
    print("std::allocator -> tracked_allocator", bench::compare(rounds, operations, plain, tracked));

    memwatch::object_pool<block> pool("bench pool");
    const auto heap = [](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            auto* const one = new block;
            escape(one);
            delete one;
        }
    };
    const auto pooled = [&](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            block* const one = pool.acquire_raw();
            escape(one);
            pool.release(one);
        }
    };
    print("new/delete -> object_pool acquire/release", bench::compare(rounds, operations, heap, pooled));

    wanted.interval_bytes = 1U << 20U;
    const auto trace_scopes = [](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            const memwatch::trace_scope scope("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "/api/v2/orders");
        }
    };
    const auto nothing = [](std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) { escape(&n); }
    };
    print("nothing -> trace_scope with traceparent, route", bench::compare(rounds / 4, operations / 10, nothing, trace_scopes));
    return 0;
}
