// SPDX-License-Identifier: Apache-2.0
#pragma once
// One copy of memwatch, as a program with several sees it: the same few functions compiled beside each copy. The executable has
// them (or has no memwatch at all), and so does each plugin, under the C name `memwatch_test_party`.

#include <cstddef>
#include <cstdint>

struct party {
    // Starts a session in full mode and keeps it; what its status says. stop() ends it.
    const char* (*start)();
    void (*stop)();
    // A tracked block under a tag of that name, kept until let_go().
    void* (*hold)(const char* tag, std::size_t bytes);
    void (*let_go)(void* held);
    std::uint64_t (*live_bytes)(const char* tag);
    std::uint64_t (*allocations)(const char* tag);
    // Live records of `bytes` bytes in a snapshot, of any owner; with `trace`, those of that trace alone.
    int (*records)(std::size_t bytes, std::uint64_t trace);
    // How often the calling thread is in the snapshot's list of live threads.
    int (*times_listed)();
    const char* (*session_id)();
    // The calling thread's trace; a call inside a scope of one.
    std::uint64_t (*trace)();
    void (*within)(std::uint64_t trace, void (*call)(void*), void* argument);
    // A line through this copy's log; how many lines a sink set in this copy has taken.
    void (*say)(const char* line);
    int (*lines_heard)();
};

// NOLINTNEXTLINE: found by dlsym
extern "C" __attribute__((visibility("default"))) const party* memwatch_test_party();
