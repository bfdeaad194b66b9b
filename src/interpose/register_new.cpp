// SPDX-License-Identifier: Apache-2.0
// libmemwatch-new's life: the program starts the session, this door only follows it.
#include "capture/heap_door.hpp"
#include "interpose/exact_heap.hpp"

namespace memwatch::interpose {
namespace {

void follow_preset(preset_option now) noexcept { now == preset_option::full ? enter_full_mode() : leave_full_mode(); }

constexpr heap_door door{"new", "malloc", &follow_preset, nullptr, &exact_self_bytes};

[[gnu::constructor]] void start() { register_heap_door(door); }

}  // namespace
}  // namespace memwatch::interpose
