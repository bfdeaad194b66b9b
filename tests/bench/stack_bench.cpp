// SPDX-License-Identifier: Apache-2.0
// What it costs to capture 20 frames: by frame pointers, by unwind rules (warm, and the first time), by libgcc's unwinder
// behind Boost.Stacktrace. Two chains of 20 different functions: one that keeps frame pointers, one that does not.
//
//   bench-stack            Goals (issue 3): frame pointers 25 ns, rules 150 ns. Exits 1 beyond a goal.
#include <cstdio>
#include <utility>

#include "bench/interleaved.hpp"
#include "platform/platform.hpp"
#include "platform/unwind_rules.hpp"

namespace {

namespace platform = memwatch::platform;

constexpr std::uint32_t frames = 20;
constexpr std::size_t rounds = 400;

using leaf = void (*)();

template <int Level>
struct with_frame_pointer {
    [[gnu::noinline]] static void call(leaf at_end) {
        if constexpr (Level > 1) {
            with_frame_pointer<Level - 1>::call(at_end);
        } else {
            at_end();
        }
        asm volatile("" ::: "memory");  // no tail call
    }
};

template <int Level>
struct without_frame_pointer {
    [[gnu::noinline, gnu::optimize("omit-frame-pointer")]] static void call(leaf at_end) {
        char room[Level * 8];
        asm volatile("" : : "r"(room) : "memory");
        if constexpr (Level > 1) {
            without_frame_pointer<Level - 1>::call(at_end);
        } else {
            at_end();
        }
        asm volatile("" ::: "memory");
    }
};

platform::captured_stack stack;
platform::address_range bounds;

[[gnu::noinline]] void by_frame_pointers() {
    platform::walk_frame_pointers(stack, frames, bounds);
    asm volatile("" ::: "memory");
}

[[gnu::noinline]] void by_rules() {
    const platform::walk_start start = platform::start_at_caller();
    platform::walk_by_rules(stack, nullptr, frames, start.entry, start.frame_pointer);
    asm volatile("" ::: "memory");
}

[[gnu::noinline]] void by_libgcc() {
    platform::unwind_dwarf(stack, frames + 1);
    asm volatile("" ::: "memory");
}

void repeat(std::size_t n, leaf walk) {
    for (std::size_t i = 0; i < n; ++i) { walk(); }
}

void print(const char* name, const bench::summary& s, leaf walk) {
    walk();  // once more, for the depth
    std::printf("%-46s %8.1f ns [%.1f .. %.1f], %u frames\n", name, s.median, s.low, s.high, stack.depth);
}

double pointers_ns = 0;
double rules_ns = 0;

void measure_here() {
    const auto pointers_and_rules = bench::compare(
        rounds, 5000, [](std::size_t n) { repeat(n, &by_frame_pointers); }, [](std::size_t n) { repeat(n, &by_rules); });
    const auto rules_and_libgcc = bench::compare(
        rounds, 500, [](std::size_t n) { repeat(n, &by_rules); }, [](std::size_t n) { repeat(n, &by_libgcc); });
    pointers_ns = pointers_and_rules.a.median;
    rules_ns = pointers_and_rules.b.median;
    print("  frame pointers", pointers_and_rules.a, &by_frame_pointers);
    print("  rules", pointers_and_rules.b, &by_rules);
    print("  libgcc", rules_and_libgcc.b, &by_libgcc);
}

void measure_first_time() {
    std::vector<double> values;
    for (std::size_t i = 0; i < rounds; ++i) {
        platform::forget_unwind_rules();
        values.push_back(bench::nanoseconds_per(1, [](std::size_t n) { repeat(n, &by_rules); }));
    }
    print("  rules, nothing remembered", bench::summarize(values), &by_rules);
}

}  // namespace

int main() {
    platform::prime_unwinder();
    bounds = platform::thread_stack();
    std::puts("20 functions with a frame pointer");
    with_frame_pointer<frames>::call(&measure_here);
    const bool is_within = pointers_ns <= 25 && rules_ns <= 150;
    std::puts("20 functions without");
    without_frame_pointer<frames>::call(&measure_here);
    without_frame_pointer<frames>::call(&measure_first_time);
    std::printf("%s\n",
                is_within && rules_ns <= 150 ? "within the goals" : "BEYOND A GOAL (frame pointers 25 ns, rules 150 ns)");
    return is_within && rules_ns <= 150 ? 0 : 1;
}
