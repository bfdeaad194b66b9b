// SPDX-License-Identifier: Apache-2.0
#pragma once
// How a free knows that a block is a sample without looking anything up: a sampled block starts at a page edge. The test reads
// nothing but the pointer; the one pointer in 128 that sits at an edge by chance is told apart by a page bitmap.
//
//   0x7f31c2a4d6b0   & 0xFE0 = 0x6a0   -> not a sample: two instructions, no load
//   0x7f31c2a4e000   & 0xFE0 = 0       -> look in the bitmap: ours? then forget the record and give the page back
//
// 0xFE0 and not 0xFFF: glibc hands out large blocks 16 bytes behind an edge, and one immediate serves both worlds
// (src/capture/README.md). 4096 is a constant of the scheme, not the machine's page size.
// Blocks come from operator new with 4096-byte alignment, so the program's own replacement of operator new is honoured. Small
// ones are rounded to 4088 bytes (one page beside glibc's 8-byte header) and recycled through a bounded cache: without both,
// heap waste grows with churn to over 20 KiB a live sample (measured on glibc 2.36).

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/thread_block.hpp>

namespace memwatch {
inline namespace v1 {
namespace detail {

inline constexpr std::size_t edge_alignment = 4096;
inline constexpr std::uintptr_t edge_mask = 0xFE0;

[[nodiscard]] inline bool is_edge(const void* address) noexcept {
    return (reinterpret_cast<std::uintptr_t>(address) & edge_mask) == 0;
}

// The countdown ran out at this allocation: if it is a sample, a recorded block at a page edge; else null, and the caller
// allocates as always. Errors: std::bad_alloc, as operator new.
[[gnu::cold]] MEMWATCH_API void* allocate_sampled(std::size_t bytes, std::size_t alignment, tag_id owner,
                                                  std::string_view type);

// For a block at an edge: if it came from allocate_sampled, forgets and frees it. False: not ours, the caller frees as always.
[[gnu::cold]] MEMWATCH_API bool release_sampled(void* address, std::size_t bytes, std::size_t alignment, tag_id owner) noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
