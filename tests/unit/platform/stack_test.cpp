// SPDX-License-Identifier: Apache-2.0
#include <ucontext.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <thread>

#include "platform/platform.hpp"

using namespace memwatch;

namespace {

[[gnu::noinline]] void walk_here(platform::captured_stack& stack, const platform::address_range& bounds) {
    platform::walk_frame_pointers(stack, platform::max_stack_depth, bounds);
    asm volatile("" ::: "memory");  // no tail call
}

[[gnu::noinline]] void walk_at_depth(int depth, platform::captured_stack& stack) {
    if (depth == 0) {
        walk_here(stack, platform::thread_stack());
    } else {
        walk_at_depth(depth - 1, stack);
    }
    asm volatile("" ::: "memory");
}

struct on_fiber {
    platform::captured_stack walked{};
    platform::captured_stack unwound{};
    platform::address_range bounds;
    platform::address_range asked_on_fiber;
    ucontext_t back{};
};
on_fiber* current = nullptr;

void fiber_body() {
    walk_here(current->walked, current->bounds);
    current->asked_on_fiber = platform::thread_stack();
    platform::unwind_dwarf(current->unwound, platform::max_stack_depth);
}

struct by_rules {
    platform::captured_stack stack{};
    std::uint32_t slots[platform::max_stack_depth]{};
    std::uint64_t entry{};
};

[[gnu::noinline]] void walk_rules_here(by_rules& walked) {
    const platform::walk_start start = platform::start_at_caller();
    walked.entry = reinterpret_cast<std::uint64_t>(start.entry);
    platform::walk_by_rules(walked.stack, walked.slots, platform::max_stack_depth, start.entry, start.frame_pointer);
    asm volatile("" ::: "memory");
}

}  // namespace

TEST_CASE("walk_by_rules: begins at the caller and says where each frame was read", "[platform]") {
    by_rules walked;
    walk_rules_here(walked);
    CHECK_FALSE(walked.stack.is_truncated);
    REQUIRE(walked.stack.depth > 3);
    CHECK(walked.slots[0] == 0);
    for (std::uint32_t i = 0; i + 1 < walked.stack.depth; ++i) { CHECK(walked.slots[i] < walked.slots[i + 1]); }
}

TEST_CASE("thread_stack: holds this thread's locals, on main and on others", "[platform]") {
    const auto check = [] {
        const platform::address_range stack = platform::thread_stack();
        // A frame's address, not a local's: ASan may keep locals elsewhere.
        CHECK(stack.contains(reinterpret_cast<std::uint64_t>(__builtin_frame_address(0))));
        CHECK(stack.end - stack.begin >= 64 << 10);
    };
    check();
    std::thread(check).join();
}

TEST_CASE("walk_frame_pointers: reaches the base frame of main and of a thread", "[platform]") {
    platform::prime_unwinder();
    const auto check = [] {
        platform::captured_stack stack;
        walk_at_depth(5, stack);
        CHECK(stack.depth >= 6);
        platform::captured_stack unwound;
        platform::unwind_dwarf(unwound, platform::max_stack_depth);
        CHECK_FALSE(unwound.is_truncated);
        CHECK(unwound.depth > 1);
    };
    std::thread(check).join();
    check();
    platform::captured_stack on_thread;
    std::thread([&] { walk_at_depth(2, on_thread); }).join();
    CHECK_FALSE(on_thread.is_truncated);  // this program keeps frame pointers all the way up to std::thread
}

TEST_CASE("walk_frame_pointers: a stack deeper than 64 is cut and says so", "[platform]") {
    platform::captured_stack stack;
    walk_at_depth(100, stack);
    CHECK(stack.depth == platform::max_stack_depth);
    CHECK(stack.is_truncated);
    platform::captured_stack unwound;
    platform::unwind_dwarf(unwound, 3);
    CHECK(unwound.depth <= 3);
    CHECK(unwound.is_truncated);
}

TEST_CASE("walk_frame_pointers: on a fiber's stack, or without bounds, it reads nothing", "[platform]") {
    platform::captured_stack stack;
    walk_here(stack, {});
    CHECK(stack.depth == 0);

    constexpr std::size_t stack_bytes = 64 << 10;
    const auto memory = std::make_unique<char[]>(stack_bytes);
    on_fiber fiber;
    fiber.bounds = platform::thread_stack();
    current = &fiber;
    ucontext_t context{};
    getcontext(&context);
    context.uc_stack.ss_sp = memory.get();
    context.uc_stack.ss_size = stack_bytes;
    context.uc_link = &fiber.back;
    makecontext(&context, &fiber_body, 0);
    swapcontext(&fiber.back, &context);
    CHECK(fiber.asked_on_fiber.end == fiber.bounds.end);  // the thread's, whatever it runs on
    CHECK_FALSE(fiber.asked_on_fiber.contains(reinterpret_cast<std::uint64_t>(memory.get())));
    CHECK(fiber.walked.depth == 0);
    CHECK(fiber.walked.is_truncated);
    CHECK(fiber.unwound.depth >= 1);
}
