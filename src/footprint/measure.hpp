// SPDX-License-Identifier: Apache-2.0
#pragma once
// The measuring of a footprint: mappings, page by page, are given to whom they belong, and nothing is given twice.
//
//   /proc/self/smaps    file pages of modules -> code, others' -> file, shared -> shared; anonymous pages:
//   the loader          of modules              -> static_data            (memwatch's own libraries -> self)
//   reserve_memory()    mapped by memwatch      -> self
//   control blocks      thread stacks           -> stacks
//   the allocator       glibc: chunk by chunk; jemalloc: extent by extent; tcmalloc, mimalloc: by ownership
//                         -> live, retained, fragmentation, its tables: what the allocator says there is, as far as it is in
//                         memory
//   what is left        anonymous: nobody else's
//
// VmRSS less all of these is `unexplained`. It holds what the parts did wrong: heap pages that the allocator's figures do not
// account for, heaps that changed while they were read, and the kernel's own imprecision (its counters are per CPU).
//
// Costs some 100 ms a GiB of a glibc heap of small blocks and 30 ms of others (`took_ns` says it), the kernel's lock of the
// address space taken for reading in short turns; no lock of an allocator's for more than 5 ms. Threads: any, outside of hooks.
// Allocates: 6 bytes a page of anonymous mappings.

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/model/footprint.hpp>
#include "footprint/memory_reader.hpp"

namespace memwatch {
inline namespace v1 {

// A large block that memwatch knows, for asking how much of it is in memory.
struct known_block {
    std::uint64_t address{};
    std::uint64_t size_bytes{};
    double weight{};  // how many such it stands for
};

// What the process knows of itself.
struct footprint_facts {
    std::string allocator;            // what stands behind memwatch's interposition (heap_door::allocator); empty = none
    bool is_heap_tracked{};           // malloc is interposed: live blocks that are not tracked are few
    double tracked_bytes{};           // live blocks that memwatch knows
    double tracked_error{};           // one standard error
    bool is_tracked_exact{};          // no estimate in it
    std::uint64_t self_in_heap{};     // of memwatch, taken from the allocator
    std::uint64_t self_bytes{};       // all that memwatch says it holds: what the cheap rows have of it
    std::vector<known_block> blocks;  // of the tracked: the larger ones
    kernel_roots roots;
};

// All but modules' live bytes, kernel growth, pid and times, which are the caller's. Regions are more than max_mapped_regions,
// the largest first; `region_begins`, unless null, is where they lie, which no footprint tells.
[[nodiscard]] footprint measure_in_detail(const footprint_facts& facts, std::vector<std::uint64_t>* region_begins = nullptr);

// Without mappings and heap: `why` becomes `not_detailed`.
[[nodiscard]] footprint measure_cheaply(const footprint_facts& facts, std::string why);

}  // namespace v1
}  // namespace memwatch
