// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the allocators of the process hold of its memory: each is asked, and its answer is held against the pages that are its
// own. Takes from `anonymous_pages` what belongs to an allocator.
//
// Only what is in memory counts. Where an allocator says more than its pages hold, blocks that nobody has touched are the
// reason; where its pages hold more than it says, the rest stays unexplained.

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/model/footprint.hpp>
#include "footprint/anonymous_pages.hpp"

namespace memwatch {
inline namespace v1 {

struct heap_question {
    std::string allocator;                      // heap_door::allocator; empty = malloc is not interposed
    std::vector<std::uint64_t> some_addresses;  // of blocks: jemalloc may be asked about pages near them
    double untouched_bytes{};                   // of blocks that live, an estimate: what of them is not in memory
};

// Bytes in memory.
struct heap_parts {
    std::uint64_t live{};
    std::uint64_t retained{};
    std::uint64_t fragmentation{};
    std::uint64_t tables{};
    bool are_tables_derived{};  // as what blocks leave of the allocator's pages, up to what it says of its tables
    // Of allocators that do not say what of it is live: all that they hold.
    std::uint64_t untold{};
    // Of the above: in pages that are still among those left, because whose they are could not be seen.
    std::uint64_t not_taken{};
    std::vector<allocator_figures> figures;  // the one in charge first
    std::string owner;                       // who is in charge; empty = unknown
};

[[nodiscard]] heap_parts look_at_heap(anonymous_pages& memory, const heap_question& asked);

}  // namespace v1
}  // namespace memwatch
