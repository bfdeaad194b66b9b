// SPDX-License-Identifier: Apache-2.0
// /proc/self/smaps of anybody, and the same bytes as a heap that is gone through: nothing crashes, mappings lie behind each
// other, figures within their size, and the bytes of a heap are counted once each.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "footprint/glibc_heap.hpp"
#include "footprint/memory_map.hpp"

using namespace memwatch;

namespace {

constexpr std::uint64_t heap_begin = 0x7f00'0000'0000;  // at a multiple of 64 MiB, where arenas' heaps begin
const std::uint8_t* heap_bytes;
std::size_t heap_size;

std::size_t copy(std::uint64_t address, void* into, std::size_t bytes) {
    if (address < heap_begin || address - heap_begin >= heap_size) { return 0; }
    const std::size_t at = address - heap_begin;
    const std::size_t count = bytes < heap_size - at ? bytes : heap_size - at;
    std::memcpy(into, heap_bytes + at, count);
    return count;
}

void check(bool is_so) {
    if (!is_so) { std::abort(); }
}

void go_through(const std::uint8_t* data, std::size_t size) {
    std::vector<std::uint8_t> padded(data, data + size);
    padded.resize((size + 4095) / 4096 * 4096);
    heap_bytes = padded.data();
    heap_size = padded.size();
    mapping where;
    where.begin = heap_begin;
    where.end = heap_begin + heap_size;
    where.resident = heap_size;
    resident_map pages;
    pages.add(where, std::vector<platform::page_state>(heap_size / 4096, platform::page_state::resident));
    for (const bool is_main : {true, false}) {
        glibc_heap heap(pages, &copy, 0x1234, true);
        is_main ? void(heap.add_main(where.begin, where.end)) : heap.add_mapping(where.begin, where.end, true);
        const heap_tally& t = heap.tally();
        check(t.live + t.cached + t.trimmable + t.kept_tops + t.holes + t.tables + t.lost <= heap_size);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::uint64_t last = 0;
    for (const mapping& each : parse_memory_map({reinterpret_cast<const char*>(data), size})) {
        check(each.begin >= last && each.begin < each.end);
        check(each.resident <= each.size() && each.anonymous <= each.resident && each.swapped <= each.size());
        last = each.end;
    }
    if (size > 0) { go_through(data, size); }
    return 0;
}
