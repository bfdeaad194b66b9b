// SPDX-License-Identifier: Apache-2.0
#pragma once
// What glibc's heap is made of, by going through its chunks: which bytes live blocks hold, which are free on whole pages (and
// would go with malloc_trim) and which are free between them. mallinfo2 knows sums only, and not what of them is in memory.
//
//   [heap], or a heap of an arena at a multiple of 64 MiB            chunk: [size of the one before | size + flags | block ...]
//   | live 0x290 | live 0x50 | free 0x21040 | live 0x30 | ... | top |       flags: 1 = the one before lives, 2 = has a mapping
//     0x..000      0x..290     0x..2e0         0x..21320               of its own, 4 = not of the main arena
//
// Of the free chunk above, pages 0x..1000 to 0x..20fff are whole: 128 KiB could go, 4,160 bytes are fragmentation.
//
// No lock of libc's is taken, so threads change what is read: a chain of sizes that leads nowhere is tried again, and what
// cannot be told is told as such (`lost`). Memory is copied through the kernel: nothing can fault.
//
// Chunks in fast bins and in threads' caches are marked as if they lived. The latter have a mark of their own (`cache_mark`).
// The former are told by their first word, which since glibc 2.32 is the next one's address, exclusive-or a part of the word's
// own: of live blocks hardly any decodes to a chunk of the same heap. Whether it was right shows in their sum, which mallinfo2
// knows. malloc_trim joins them with their free neighbours before it looks for whole pages, so they are joined here.
//
// Layout: malloc/malloc.c of glibc 2.26 to 2.41, 64-bit. Tests: glibc_heap_test.cpp, on memory made by hand.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "footprint/resident_map.hpp"

namespace memwatch {
inline namespace v1 {

// Bytes in memory, all of it.
struct heap_tally {
    std::uint64_t live{};       // chunks as large as they are, headers included
    std::uint64_t cached{};     // freed, in a thread's cache
    std::uint64_t fast{};       // freed, in a fast bin: address space; what of it is in memory is part of the rows that follow
    std::uint64_t trimmable{};  // freed, whole pages that malloc_trim gives back
    std::uint64_t kept_tops{};  // freed, whole pages at the ends of arenas' heaps, which it does not
    std::uint64_t holes{};      // freed, on pages that others live on
    std::uint64_t tables{};     // the arenas' own records
    std::uint64_t lost{};       // of heaps whose chain of chunks broke
    std::uint64_t untouched{};  // of live chunks: not in memory
    std::uint64_t live_chunks{};
    std::uint64_t free_chunks{};
    std::uint64_t arenas{};
};

// How memory is read: bytes copied, less when it is not there. As platform::copy_memory().
using memory_copy = std::size_t (*)(std::uint64_t address, void* into, std::size_t bytes);

class glibc_heap {
public:
    // `cache_mark`: platform::learn_cache_mark(); 0 = blocks in threads' caches count as live. Those in fast bins do unless
    // `finds_fast`.
    glibc_heap(resident_map& pages, memory_copy copy, std::uint64_t cache_mark, bool finds_fast) noexcept
        : pages_(&pages), copy_(copy), cache_mark_(cache_mark), finds_fast_(finds_fast) {}

    // The main arena's memory, as far as brk() gave it: from where a "[heap]" begins to where it ends now. False: no chain of
    // chunks begins there.
    bool add_main(std::uint64_t begin, std::uint64_t end);
    // Heaps of other arenas in a mapping, and blocks with a mapping of their own (`finds_blocks`: libc says there are some).
    // What was found there is what claimed() holds.
    void add_mapping(std::uint64_t begin, std::uint64_t end, bool finds_blocks);

    [[nodiscard]] const heap_tally& tally() const noexcept { return tally_; }
    struct range {
        std::uint64_t begin;
        std::uint64_t end;
    };
    // By address within each mapping.
    [[nodiscard]] const std::vector<range>& claimed() const noexcept { return claimed_; }
    // Of blocks with a mapping of their own: address space.
    [[nodiscard]] std::uint64_t mapped_blocks() const noexcept { return mapped_blocks_; }

private:
    // The end of a run of chunks.
    enum class heap_end : std::uint8_t { main_top, arena_top, fence };

    [[nodiscard]] bool read(std::uint64_t address, void* into, std::size_t bytes);
    [[nodiscard]] bool read_word(std::uint64_t address, std::uint64_t& word) { return read(address, &word, sizeof word); }
    [[nodiscard]] bool is_chain(std::uint64_t at, std::uint64_t end);
    void walk(std::uint64_t at, std::uint64_t end, heap_end kind);
    // What a chunk that is marked as alive is.
    enum class use : std::uint8_t { live, cached, fast };
    [[nodiscard]] use use_of(std::uint64_t at, std::uint64_t size, std::uint64_t begin, std::uint64_t end);
    void count_free(std::uint64_t at, std::uint64_t end, std::uint64_t& whole_pages);
    void count_live(std::uint64_t at, std::uint64_t size);
    void end_run(std::uint64_t at);
    void count_top(std::uint64_t at, std::uint64_t end, heap_end kind);
    void count_chunk(std::uint64_t at, std::uint64_t size, bool is_free, use marked);
    [[nodiscard]] bool go_back(std::uint64_t& at, int& breaks);
    [[nodiscard]] std::uint64_t try_arena_heap(std::uint64_t at, std::uint64_t end);  // its end, or 0
    [[nodiscard]] std::uint64_t try_block(std::uint64_t at, std::uint64_t end);

    static constexpr std::size_t window_bytes = 64U << 10U;
    resident_map* pages_;
    memory_copy copy_;
    std::uint64_t cache_mark_;
    bool finds_fast_;
    std::uint64_t run_begin_{};  // of free neighbours that malloc_trim would join; 0 = none
    heap_tally tally_;
    // Chunks where the walk may be taken up again, some 64 KiB apart, with what it knew there.
    struct way_mark {
        std::uint64_t at;
        std::uint64_t run_begin;
        heap_tally tally;
    };
    std::vector<way_mark> marks_;
    std::vector<range> claimed_;
    std::uint64_t mapped_blocks_{};
    std::vector<unsigned char> window_;
    std::uint64_t window_begin_{};
    std::uint64_t window_end_{};
};

}  // namespace v1
}  // namespace memwatch
