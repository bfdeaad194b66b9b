// SPDX-License-Identifier: Apache-2.0
#pragma once
// A process ends in more ways than by returning from main; each that calls libc passes by here.

namespace memwatch::interpose {

// Writes the dump of what is live, where one was asked for. Does nothing in a process that only borrows our memory (vfork).
void say_last_word() noexcept;

// The same for ends that may come from a signal handler, which may have interrupted the allocator: what a process with one
// thread allocates for the dump comes from the emergency heap, and never goes back. No system call where no dump was asked for.
void say_last_word_abruptly() noexcept;

// A session was started, and this process is not one that only borrows our memory.
[[nodiscard]] bool is_started() noexcept;

}  // namespace memwatch::interpose
