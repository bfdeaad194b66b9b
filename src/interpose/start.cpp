// SPDX-License-Identifier: Apache-2.0
// The preload object's life: started before the program's own constructors, its last word after the program's destructors.
#include <dlfcn.h>
#include <sys/auxv.h>

#include <cstdlib>
#include <new>

#include <memwatch/session.hpp>
#include "capture/heap_door.hpp"
#include "interpose/exact_heap.hpp"
#include "interpose/targets.hpp"

namespace memwatch::interpose {
namespace {

// Lives as long as the process: blocks are freed after every destructor.
alignas(session) unsigned char session_storage[sizeof(session)];

void follow_preset(preset_option now) noexcept { now == preset_option::full ? enter_full_mode() : leave_full_mode(); }

heap_door door{"preload", "", &follow_preset, nullptr};

[[gnu::constructor]] void start() {
    resolve();
    if (getauxval(AT_SECURE) != 0) { return; }  // set-user-id: the environment is not to be trusted, so neither is being here
    door.allocator = real.name;
    register_heap_door(door);
    new (session_storage) session(session::start());
}

}  // namespace
}  // namespace memwatch::interpose
