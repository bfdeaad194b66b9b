// SPDX-License-Identifier: Apache-2.0
#pragma once
// A process ends in more ways than by returning from main; each that calls libc passes by here.

namespace memwatch::interpose {

// Writes the dump of what is live, where one was asked for. Does nothing in a process that only borrows our memory (vfork).
void say_last_word() noexcept;

// A session was started, and this process is not one that only borrows our memory.
[[nodiscard]] bool is_started() noexcept;

}  // namespace memwatch::interpose
