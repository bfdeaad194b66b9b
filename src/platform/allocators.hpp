// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the allocators of this process say of themselves, through their own interfaces, found by name outside of any hook.
// Several may be there at once: each says what is its own.
//
//   glibc      mallinfo2(3); malloc_info(3) before glibc 2.33. Both take each arena's lock in turn and go through its free
//   lists. jemalloc   mallctl(3), with statistics built in; batch_query says of addresses which extent they are in tcmalloc
//   MallocExtension_* (gperftools); Google's newer one has other names and is not asked mimalloc   what it counts without being
//   built for it is the address space it has obtained
//
// Threads: any. Allocates: the loader may.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace memwatch {
inline namespace v1 {
namespace platform {

// The object that malloc() leads to; empty name = not known. `told` is what stands behind memwatch's own interposition, as the
// one who interposes has found it out (heap_door::allocator); empty = nobody interposes.
struct malloc_owner {
    std::string name;  // "glibc", "jemalloc", "tcmalloc", "mimalloc"
    std::string path;  // of its object
};
[[nodiscard]] malloc_owner owner_of_malloc(std::string_view told);

// Bytes, all of it.
struct glibc_figures {
    bool is_there{};
    std::uint64_t from_arenas{};     // obtained for arenas, by brk and mmap
    std::uint64_t free_in_arenas{};  // fast chunks included, those in threads' caches not
    std::uint64_t fast{};            // of that, in fast bins
    std::uint64_t mapped_blocks{};   // blocks with a mapping of their own
    std::uint64_t mapped_block_count{};
};
[[nodiscard]] glibc_figures ask_glibc();
[[nodiscard]] std::string glibc_version();
// What marks a freed block in a thread's cache (glibc 2.29 and later: in its second word). For where glibc is in charge. 0: it
// could not be told.
[[nodiscard]] std::uint64_t learn_cache_mark();

struct jemalloc_figures {
    bool is_there{};  // and has statistics
    std::string version;
    std::string path;
    std::uint64_t small{};         // given out in slabs, thread caches included
    std::uint64_t large{};         // given out as extents of their own
    std::uint64_t cached{};        // of `small` and `large`: in thread caches
    std::uint64_t unused_pages{};  // dirty and muzzy pages
    std::uint64_t tables{};        // its own records, whether touched or not
    std::uint64_t active{};
    std::uint64_t mapped{};
    std::uint64_t arenas{};
};
[[nodiscard]] jemalloc_figures ask_jemalloc();

// The extent an address is in. Nothing else than jemalloc's own says so.
struct jemalloc_extent {
    std::uint64_t bytes{};  // 0: in none
    std::uint64_t regions{};
    std::uint64_t free_regions{};
    static constexpr std::uint64_t most_regions = 4096;
    // One that was a slab and is free now still says so, with all of its regions free or a number of them that means nothing.
    [[nodiscard]] bool is_slab() const noexcept { return free_regions < regions && regions > 1 && regions <= most_regions; }
};
// Asks for many at a time. False: this version does not answer.
[[nodiscard]] bool ask_jemalloc_extents(const std::uint64_t* addresses, std::size_t count, jemalloc_extent* into);

struct tcmalloc_figures {
    bool is_there{};
    std::string version;
    std::string path;
    std::uint64_t given_out{};
    std::uint64_t unused_pages{};   // in the page heap, not given back
    std::uint64_t given_back{};     // in the page heap, without memory
    std::uint64_t free_in_spans{};  // central, transfer and thread caches
    std::uint64_t tables{};
    std::uint64_t mapped{};
};
[[nodiscard]] tcmalloc_figures ask_tcmalloc();

struct mimalloc_figures {
    bool is_there{};
    std::string version;
    std::string path;
};
[[nodiscard]] mimalloc_figures ask_mimalloc();

// Makes every allocator that is there give back what it keeps for later. Takes their locks.
void release_free_memory();

// Whether an address lies in memory that the allocator obtained: tcmalloc's or mimalloc's. False where it cannot be asked.
[[nodiscard]] bool is_of_tcmalloc(std::uint64_t address) noexcept;
[[nodiscard]] bool is_of_mimalloc(std::uint64_t address) noexcept;

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
