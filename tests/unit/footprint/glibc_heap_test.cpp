// SPDX-License-Identifier: Apache-2.0
// Heaps made by hand, chunk by chunk as glibc lays them out, and gone through.
#include <cstring>
#include <vector>

#include <catch2/catch.hpp>
#include "footprint/glibc_heap.hpp"

using namespace memwatch;
using platform::page_state;

namespace {

constexpr std::uint64_t heap_begin = 0x5555'5555'0000;
constexpr std::uint64_t mark = 0x1234'5678'9abc'def1;

std::vector<unsigned char> memory;

std::size_t copy(std::uint64_t address, void* into, std::size_t bytes) {
    if (address < heap_begin || address >= heap_begin + memory.size()) { return 0; }
    const std::size_t at = address - heap_begin;
    const std::size_t count = std::min(bytes, memory.size() - at);
    std::memcpy(into, memory.data() + at, count);
    return count;
}

void put(std::uint64_t address, std::uint64_t word) { std::memcpy(memory.data() + (address - heap_begin), &word, sizeof word); }

// Chunks one behind another. A chunk's header says whether the one before it lives.
class maker {
public:
    explicit maker(std::size_t pages) { memory.assign(pages * 4096, 0); }

    std::uint64_t live(std::uint64_t size) { return chunk(size, true); }
    std::uint64_t cached(std::uint64_t size) {
        const std::uint64_t at = chunk(size, true);
        put(at + 24, mark);
        return at;
    }
    // In a fast bin, before `next` (0 = the last of its list).
    std::uint64_t fast(std::uint64_t size, std::uint64_t next) {
        const std::uint64_t at = chunk(size, true);
        put(at + 16, next ^ ((at + 16) >> 12U));
        return at;
    }
    std::uint64_t free(std::uint64_t size) { return chunk(size, false); }
    void top() { put(at_ + 8, (heap_begin + memory.size() - at_) | (lives_ ? 1U : 0U)); }
    [[nodiscard]] std::uint64_t here() const { return at_; }

private:
    std::uint64_t chunk(std::uint64_t size, bool lives) {
        put(at_ + 8, size | (lives_ ? 1U : 0U));
        lives_ = lives;
        const std::uint64_t begin = at_;
        at_ += size;
        return begin;
    }

    std::uint64_t at_{heap_begin};
    bool lives_{true};
};

resident_map all_resident() {
    mapping where;
    where.begin = heap_begin;
    where.end = heap_begin + memory.size();
    where.resident = memory.size();
    resident_map map;
    map.add(where, std::vector<page_state>(memory.size() / 4096, page_state::resident));
    return map;
}

heap_tally tally_of(bool finds_fast = true) {
    resident_map map = all_resident();
    glibc_heap heap(map, &copy, mark, finds_fast);
    REQUIRE(heap.add_main(heap_begin, heap_begin + memory.size()));
    return heap.tally();
}

std::uint64_t sum(const heap_tally& t) { return t.live + t.cached + t.trimmable + t.kept_tops + t.holes + t.tables + t.lost; }

}  // namespace

TEST_CASE("glibc_heap: each byte of a heap is one thing, and they add up") {
    maker make(16);
    make.live(0x290);
    make.live(0x50);
    make.free(0x3000);
    make.live(0x30);
    make.cached(0x40);
    make.live(0x1000);
    const std::uint64_t top_begin = make.here();
    make.top();
    const heap_tally t = tally_of();
    CHECK(sum(t) == memory.size());
    CHECK(t.live == 0x290 + 0x50 + 0x30 + 0x1000);
    CHECK(t.cached == 0x40);
    CHECK(t.live_chunks == 4);
    CHECK(t.free_chunks == 1);
    CHECK(t.lost == 0);
    // 0x2e0..0x32e0: pages 1 and 2 are whole; the top's whole pages end with the heap.
    const std::uint64_t top_pages = heap_begin + memory.size() - (top_begin + 48 + 4095) / 4096 * 4096;
    CHECK(t.trimmable == 2 * 4096 + top_pages);
}

TEST_CASE("glibc_heap: fast chunks join their free neighbours, as malloc_trim would join them") {
    maker make(16);
    make.live(0x290);
    const std::uint64_t last = make.fast(0x80, 0);
    std::uint64_t next = last;
    for (int i = 0; i < 100; ++i) { next = make.fast(0x80, next); }
    make.live(0x20);
    make.top();
    const heap_tally t = tally_of();
    CHECK(t.fast == 101 * 0x80);
    CHECK(t.live == 0x290 + 0x20);
    CHECK(sum(t) == memory.size());
    CHECK(t.trimmable >= 2 * 4096);
    // Without looking for them they seem to live.
    const heap_tally blind = tally_of(false);
    CHECK(blind.fast == 0);
    CHECK(blind.live == 0x290 + 0x20 + 101 * 0x80);
}

TEST_CASE("glibc_heap: pages that are not in memory are no one's") {
    maker make(16);
    make.live(0x290);
    make.free(0x8000);
    make.live(0x30);
    make.top();
    mapping where;
    where.begin = heap_begin;
    where.end = heap_begin + memory.size();
    where.resident = 12 * 4096;
    std::vector<page_state> states(16, page_state::resident);
    for (std::size_t i = 2; i < 6; ++i) { states[i] = page_state::absent; }
    resident_map map;
    map.add(where, states);
    glibc_heap heap(map, &copy, mark, true);
    REQUIRE(heap.add_main(where.begin, where.end));
    CHECK(sum(heap.tally()) == 12 * 4096);
    CHECK(heap.tally().lost == 0);
}

TEST_CASE("glibc_heap: a broken chain is told as lost, and nothing else is made up") {
    maker make(8);
    make.live(0x290);
    make.live(0x1000);
    const std::uint64_t broken = make.live(0x40);
    make.live(0x1000);
    make.top();
    put(broken + 8, 0x7fff'ffff'fff1);
    resident_map map = all_resident();
    glibc_heap heap(map, &copy, mark, true);
    // Too early to be taken for a heap at all: then it is nobody's.
    CHECK_FALSE(heap.add_main(heap_begin, heap_begin + memory.size()));
    CHECK(sum(heap.tally()) == 0);

    maker longer(64);
    longer.live(0x290);
    for (int i = 0; i < 20; ++i) { longer.live(0x400); }
    const std::uint64_t late = longer.live(0x40);
    longer.top();
    put(late + 8, 0x13);
    const heap_tally t = tally_of();
    CHECK(t.lost > 0);
    CHECK(sum(t) == memory.size());
}

TEST_CASE("glibc_heap: a size that leads back is no size") {
    maker make(64);
    make.live(0x290);
    for (int i = 0; i < 20; ++i) { make.live(0x400); }
    const std::uint64_t broken = make.live(0x400);
    make.live(0x400);
    make.top();
    constexpr std::uint64_t back_16 = ~std::uint64_t{15} | 1U;
    put(broken + 8, back_16);
    put(broken - 8, 0x20 | 1U);  // from there on again, to another that leads back: round and round
    put(broken + 24, back_16);
    const heap_tally t = tally_of();
    CHECK(t.lost > 0);
    CHECK(sum(t) == memory.size());
}

TEST_CASE("glibc_heap: memory that is no heap is none") {
    memory.assign(8 * 4096, 0);
    resident_map map = all_resident();
    glibc_heap heap(map, &copy, mark, true);
    CHECK_FALSE(heap.add_main(heap_begin, heap_begin + memory.size()));
    heap.add_mapping(heap_begin, heap_begin + memory.size(), true);
    CHECK(heap.claimed().empty());
}

TEST_CASE("glibc_heap: blocks with a mapping of their own are found by their headers") {
    memory.assign(16 * 4096, 0);
    put(heap_begin + 4096 + 8, 4 * 4096 | 2);
    put(heap_begin + 5 * 4096 + 8, 2 * 4096 | 2);
    put(heap_begin + 9 * 4096 + 8, 99 * 4096 | 2);  // longer than its mapping
    resident_map map = all_resident();
    glibc_heap heap(map, &copy, mark, true);
    heap.add_mapping(heap_begin, heap_begin + memory.size(), true);
    CHECK(heap.claimed().size() == 2);
    CHECK(heap.tally().live == 6 * 4096);
    CHECK(heap.mapped_blocks() == 6 * 4096);
}
