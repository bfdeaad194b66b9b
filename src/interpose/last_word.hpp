// SPDX-License-Identifier: Apache-2.0
#pragma once
// A process ends in more ways than by returning from main; each that calls libc passes by here.

namespace memwatch::interpose {

// main returned or exit() was called, and what tidies up has not run: what leaks is judged now. Where verdicts are on and a
// dump was asked for, this is its moment, and what destructors free later is in it.
void say_what_is_left() noexcept;

// Writes the dump of what is live, unless that was done, where one was asked for. Does nothing in a process that only borrows
// our memory (vfork).
void say_last_word() noexcept;

// The same for ends that may come from a signal handler, which may have interrupted the allocator: what a process with one
// thread allocates for the dump comes from the emergency heap, and never goes back. No system call where no dump was asked for.
void say_last_word_abruptly() noexcept;

// A session was started, and this process is not one that only borrows our memory.
[[nodiscard]] bool is_started() noexcept;

}  // namespace memwatch::interpose
