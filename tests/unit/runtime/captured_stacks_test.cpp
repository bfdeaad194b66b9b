// SPDX-License-Identifier: Apache-2.0
// What the option `unwinder` promises about the stacks of a session. Compiled with -fomit-frame-pointer, as most programs are.
#include <memwatch/session.hpp>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>

using namespace memwatch;

namespace {

// Where the caller of sort_and_allocate() goes on: a frame that libc's qsort, which keeps no frame pointer, lies in front of.
thread_local std::uint64_t wanted_frame = 0;

struct allocation {
    tag owner;
    int* block;
};
thread_local allocation* in_comparator = nullptr;

int compare_and_allocate(const void* a, const void* b) {
    if (in_comparator->block == nullptr) { in_comparator->block = tracked_allocator<int>{in_comparator->owner}.allocate(10); }
    return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

[[gnu::noinline]] void sort_and_allocate(allocation& made) {
    wanted_frame = reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
    in_comparator = &made;
    int numbers[] = {3, 1, 2, 9, 8, 7};
    std::qsort(numbers, std::size(numbers), sizeof numbers[0], &compare_and_allocate);
    asm volatile("" ::: "memory");  // no tail call
}

std::uint64_t count_of(const std::vector<named_value>& losses, const std::string& name) {
    const auto found = std::find_if(losses.begin(), losses.end(), [&](const named_value& l) { return l.name == name; });
    return found == losses.end() ? 0 : found->value;
}

std::uint64_t address_of(const snapshot& s, const frame& f) {
    if (f.module == no_module) { return f.offset; }
    const auto& module = s.modules[f.module];
    return module.start + f.offset - module.file_offset;
}

struct outcome {
    bool has_caller{};
    bool is_truncated{};
    std::uint64_t fallbacks{};
    std::uint64_t truncated{};
};

outcome capture(unwinder_option unwinder, const char* owner) {
    options wanted;
    wanted.preset = preset_option::full;
    wanted.unwinder = unwinder;
    const session running = session::start(wanted);
    const snapshot before = *running.snapshot();
    allocation made{tag{owner}, nullptr};
    sort_and_allocate(made);
    const snapshot s = *running.snapshot();
    tracked_allocator<int>{made.owner}.deallocate(made.block, 10);
    outcome result;
    for (const site& candidate : s.sites) {
        if (s.tags[candidate.tag].name != owner || candidate.live.samples == 0) { continue; }
        const auto& stack = s.stacks[candidate.stack];
        result.is_truncated = stack.is_truncated;
        result.has_caller = std::any_of(stack.frames.begin(), stack.frames.end(),
                                        [&](std::uint32_t f) { return address_of(s, s.frames[f]) == wanted_frame; });
    }
    result.fallbacks = count_of(s.degradations, "unwinder_fallback") - count_of(before.degradations, "unwinder_fallback");
    result.truncated = count_of(s.degradations, "stack_truncated") - count_of(before.degradations, "stack_truncated");
    return result;
}

}  // namespace

TEST_CASE("session: automatic stacks are whole behind libc, on main and in threads, without the DWARF unwinder", "[runtime]") {
    const auto check = [](const char* owner, outcome& result) { result = capture(unwinder_option::automatic, owner); };
    outcome here;
    check("on-main", here);
    outcome there;
    std::thread(check, "in-thread", std::ref(there)).join();
    for (const outcome& result : {here, there}) {
        CHECK(result.has_caller);
        CHECK_FALSE(result.is_truncated);
        CHECK(result.truncated == 0);
#if defined(__x86_64__)
        CHECK(result.fallbacks == 0);
#endif
    }
}

TEST_CASE("session: stacks of the DWARF unwinder are whole behind libc", "[runtime]") {
    const outcome result = capture(unwinder_option::dwarf, "by-dwarf");
    CHECK(result.has_caller);
    CHECK_FALSE(result.is_truncated);
}

TEST_CASE("session: stacks of frame pointers say that they were cut where code has none", "[runtime]") {
    const outcome result = capture(unwinder_option::frame_pointer, "by-frame-pointers");
    CHECK((result.has_caller || result.is_truncated));
    CHECK(result.fallbacks == 0);
}
