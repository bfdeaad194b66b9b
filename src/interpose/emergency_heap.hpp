// SPDX-License-Identifier: Apache-2.0
#pragma once
// A heap for the last word of a process that ends inside a signal handler: the handler may have interrupted the allocator,
// whose locks and lists are then in any state. From here on memory comes from fresh mappings, and nothing is given back.

namespace memwatch::interpose {

// Puts the emergency heap in place for the rest of the process' life. Only in a process with one thread.
void enter_emergency_heap() noexcept;

}  // namespace memwatch::interpose
