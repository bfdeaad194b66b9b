// SPDX-License-Identifier: Apache-2.0
// A program whose segments lie apart: walked by rules like any other. 77 where the linker left no holes after all.
#include <dlfcn.h>

#include <cstdio>

#include "platform/platform.hpp"

using namespace memwatch;

namespace {

[[gnu::noinline]] platform::walk_end walk(platform::captured_stack& stack) {
    const platform::walk_start start = platform::start_at_caller();
    return platform::walk_by_rules(stack, nullptr, platform::max_stack_depth, start.entry, start.frame_pointer);
}

bool has_holes() {
#if defined(__x86_64__) && defined(DLFO_STRUCT_HAS_EH_DBASE)
    extern const char begin_of_program asm("__executable_start");
    dl_find_object found{};
    return _dl_find_object(reinterpret_cast<void*>(&walk), &found) == 0 && found.dlfo_map_start != &begin_of_program;
#else
    return false;
#endif
}

}  // namespace

int main() {
    platform::captured_stack stack;
    const platform::walk_end end = walk(stack);
    std::printf("end %d after %u frames\n", static_cast<int>(end), stack.depth);
    if (!has_holes()) { return 77; }
    return end == platform::walk_end::complete ? 0 : 1;
}
