// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the kernel writes about memory, as text: /proc/self/status and limits, memory.stat, memory.events and files of one
// number. Anything else that comes along - an unknown name, a number too large, half a line - is passed over and changes
// nothing.
//
// Pure; nothing is allocated. Fuzzed: tests/fuzz/kernel_text_fuzz.cpp.

#include <cstdint>
#include <string_view>

#include "model/memory_reading.hpp"

namespace memwatch {
inline namespace v1 {

// /proc/PID/status: "VmRSS:\t    1234 kB".
void parse_status(std::string_view text, process_memory& into) noexcept;

// /proc/PID/limits: the soft limit of "Max address space"; 0 = unlimited.
[[nodiscard]] std::uint64_t parse_address_space_limit(std::string_view text) noexcept;

// What is wanted of a group's memory.stat, of v2 and (with "total_", the group and those below it) of v1. Bytes.
struct group_stat {
    std::uint64_t file_cache{};        // pages of files on the lists the kernel reclaims from: neither shared memory nor locked
    std::uint64_t slab_reclaimable{};  // v2 only
};
void parse_group_stat(std::string_view text, group_stat& into) noexcept;

// v2 memory.events; v1 memory.oom_control, which knows oom_kill alone.
void parse_events(std::string_view text, pressure_events& into) noexcept;

// "1234\n". No number - "max", and v1's "no limit", which is a number near 2^63 - is `otherwise`.
[[nodiscard]] std::uint64_t parse_bytes(std::string_view text, std::uint64_t otherwise) noexcept;

}  // namespace v1
}  // namespace memwatch
