// SPDX-License-Identifier: Apache-2.0
// A library the program is linked with: its constructor is called by ld.so, before the program's start code has run.
#include "platform/platform.hpp"

using namespace memwatch;

extern "C" __attribute__((visibility("default"))) platform::walk_end end_of_walk_in_constructor;
platform::walk_end end_of_walk_in_constructor = platform::walk_end::no_rule;

namespace {

[[gnu::constructor]] void walk_early() {
    platform::captured_stack stack;
    const platform::walk_start start = platform::start_at_caller();
    end_of_walk_in_constructor =
        platform::walk_by_rules(stack, nullptr, platform::max_stack_depth, start.entry, start.frame_pointer);
}

}  // namespace
