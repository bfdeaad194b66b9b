// SPDX-License-Identifier: Apache-2.0
#pragma once
// /proc/PID/smaps (or maps, without the figures) as text -> mappings.
//
//   7f31c0000000-7f31c0400000 rw-p 00000000 00:00 0                          <name, or none>
//   Rss:                1024 kB
//   Anonymous:          1024 kB
//
// Hostile as any input: a line that is none of these is passed over, and a mapping that does not lie behind the one before it
// is left out. Pure. Fuzzed: tests/fuzz/memory_map_fuzz.cpp.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace memwatch {
inline namespace v1 {

struct mapping {
    std::uint64_t begin{};
    std::uint64_t end{};  // above begin
    bool is_writable{};
    bool is_executable{};
    bool is_shared{};
    std::uint64_t inode{};      // 0 = no file
    std::uint64_t resident{};   // bytes, at most end - begin
    std::uint64_t anonymous{};  // of these: no file's, or no longer
    std::uint64_t swapped{};
    std::string name;  // a path, "[heap]", "[stack]", "[anon:...]"; empty = none

    [[nodiscard]] std::uint64_t size() const noexcept { return end - begin; }
};

// By address, and without overlaps.
[[nodiscard]] std::vector<mapping> parse_memory_map(std::string_view text);

}  // namespace v1
}  // namespace memwatch
