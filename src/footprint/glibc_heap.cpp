// SPDX-License-Identifier: Apache-2.0
#include "footprint/glibc_heap.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace memwatch {
inline namespace v1 {
namespace {

using platform::page_bytes;

constexpr std::uint64_t previous_lives = 1;
constexpr std::uint64_t has_own_mapping = 2;
constexpr std::uint64_t flag_bits = 7;
constexpr std::uint64_t least_chunk = 32;
constexpr std::uint64_t fence_size = 16;
constexpr std::uint64_t chunk_alignment = 16;
constexpr std::uint64_t most_fast_chunk = 128;       // unless mallopt() says otherwise
constexpr std::uint64_t most_cached_chunk = 1040;    // the largest size of tcache
constexpr std::uint64_t free_chunk_header = 48;      // sizeof (struct malloc_chunk): malloc_trim leaves it
constexpr std::uint64_t heap_alignment = 64U << 20;  // HEAP_MAX_SIZE
constexpr std::uint64_t least_arena = 2048;          // sizeof (struct malloc_state) is 2,200 in all of them
constexpr std::uint64_t most_arena = 4096;
constexpr int chain_length = 8;
constexpr std::uint64_t mark_distance = 64U << 10U;
constexpr int most_breaks = 64;  // in a row
constexpr int most_breaks_of_heap = 1000;
constexpr std::uint64_t most_chunk = std::uint64_t{1} << 46U;

std::uint64_t page_up(std::uint64_t address) noexcept { return (address + page_bytes - 1) / page_bytes * page_bytes; }
std::uint64_t page_down(std::uint64_t address) noexcept { return address / page_bytes * page_bytes; }

// struct heap_info: 32 bytes up to glibc 2.34, 48 since.
struct heap_heading {
    std::uint64_t arena;
    std::uint64_t previous;
    std::uint64_t size;
    std::uint64_t accessible;
};

// Heaps grow while they are looked at: what lies behind the mapping as it was is not in memory, as far as is known.
bool is_heading(const heap_heading& heading, std::uint64_t at) noexcept {
    const std::uint64_t offset = heading.arena % heap_alignment;
    const bool has_room = heading.size != 0 && heading.size % page_bytes == 0 && heading.size <= heading.accessible &&
                          heading.accessible <= heap_alignment;
    const bool is_first = heading.arena - offset == at;
    const bool has_previous =
        is_first ? heading.previous == 0 : heading.previous != 0 && heading.previous % heap_alignment == 0;
    return has_room && has_previous && (offset == 32 || offset == 48);
}

}  // namespace

bool glibc_heap::read(std::uint64_t address, void* into, std::size_t bytes) {
    if (address < window_begin_ || address + bytes > window_end_) {
        window_.resize(window_bytes);
        window_begin_ = address;
        // Never past pages that are in memory: reading others would bring them in. One that came since is read by itself.
        window_end_ = pages_->run_end(address, address + window_bytes);
        if (window_end_ > address) { window_end_ = address + copy_(address, window_.data(), window_end_ - address); }
        if (window_end_ < address + bytes) {
            window_end_ = window_begin_;
            return copy_(address, into, bytes) == bytes;
        }
    }
    std::memcpy(into, window_.data() + (address - window_begin_), bytes);
    return true;
}

bool glibc_heap::is_chain(std::uint64_t at, std::uint64_t end) {
    for (int i = 0; i < chain_length; ++i) {
        std::uint64_t word = 0;
        if (!read_word(at + 8, word)) { return false; }
        const std::uint64_t size = word & ~flag_bits;
        if (i == 0 && (word & previous_lives) == 0) { return false; }
        if (size < least_chunk || size % chunk_alignment != 0 || size > end - at || (word & has_own_mapping) != 0) {
            return false;
        }
        at += size;
        if (at == end) { return true; }
        if (end - at < fence_size) { return false; }
    }
    return true;
}

void glibc_heap::count_free(std::uint64_t at, std::uint64_t end, std::uint64_t& whole_pages) {
    const std::uint64_t first = page_up(at + free_chunk_header);
    const std::uint64_t last = page_down(end);
    const std::uint64_t whole = first < last ? pages_->bytes_in(first, last) : 0;
    whole_pages += whole;
    tally_.holes += pages_->bytes_in(at, end) - whole;
}

void glibc_heap::end_run(std::uint64_t at) {
    if (run_begin_ != 0) { count_free(run_begin_, at, tally_.trimmable); }
    run_begin_ = 0;
}

void glibc_heap::count_live(std::uint64_t at, std::uint64_t size) {
    const std::uint64_t resident = pages_->bytes_in(at, at + size);
    ++tally_.live_chunks;
    tally_.live += resident;
    tally_.untouched += size - resident;
}

glibc_heap::use glibc_heap::use_of(std::uint64_t at, std::uint64_t size, std::uint64_t begin, std::uint64_t end) {
    if (size > most_cached_chunk || (cache_mark_ == 0 && !finds_fast_)) { return use::live; }
    std::array<std::uint64_t, 2> words{};
    const std::uint64_t block = at + 16;
    if (!read(block, words.data(), sizeof words)) { return use::live; }
    if (cache_mark_ != 0 && words[1] == cache_mark_) { return use::cached; }
    if (!finds_fast_ || size > most_fast_chunk) { return use::live; }
    const std::uint64_t next = words[0] ^ (block >> 12U);
    const bool is_chunk = next % chunk_alignment == 0 && next >= begin && next < end;
    return next == 0 || is_chunk ? use::fast : use::live;
}

void glibc_heap::count_top(std::uint64_t at, std::uint64_t end, heap_end kind) {
    if (kind == heap_end::main_top && run_begin_ != 0) { at = run_begin_; }
    if (kind != heap_end::main_top) { end_run(at); }
    run_begin_ = 0;
    count_free(at, end, kind == heap_end::main_top ? tally_.trimmable : tally_.kept_tops);
}

void glibc_heap::count_chunk(std::uint64_t at, std::uint64_t size, bool is_free, use marked) {
    if (is_free || marked == use::fast) {
        if (run_begin_ == 0) { run_begin_ = at; }
        tally_.free_chunks += is_free ? 1 : 0;
        tally_.fast += is_free ? 0 : size;
        return;
    }
    end_run(at);
    if (marked == use::cached) {
        tally_.cached += pages_->bytes_in(at, at + size);
    } else {
        count_live(at, size);
    }
}

// A chain breaks when somebody joins, splits or moves chunks between two looks. Then it is taken up again some way back, where
// its chunks may be sound; the more often in a row, the further back.
bool glibc_heap::go_back(std::uint64_t& at, int& breaks) {
    if (++breaks > most_breaks || marks_.empty()) { return false; }
    const std::size_t steps = std::min<std::size_t>(marks_.size(), static_cast<std::size_t>(breaks));
    marks_.resize(marks_.size() - steps + 1);
    at = marks_.back().at;
    tally_ = marks_.back().tally;
    run_begin_ = marks_.back().run_begin;
    window_end_ = window_begin_ = 0;
    return true;
}

void glibc_heap::walk(std::uint64_t at, std::uint64_t end, heap_end kind) {
    const std::uint64_t begin = at;
    std::uint64_t furthest = at;
    int breaks = 0;
    int all_breaks = 0;
    window_end_ = window_begin_ = 0;
    marks_.clear();
    while (true) {
        std::uint64_t word = 0;
        const bool is_read = end - at >= fence_size && read_word(at + 8, word);
        const std::uint64_t size = word & ~flag_bits;
        if (is_read && kind == heap_end::fence && (size == fence_size || size == 0)) {
            end_run(at);
            tally_.tables += pages_->bytes_in(at, end);
            return;
        }
        const bool has_size = is_read && size >= least_chunk && size % chunk_alignment == 0;
        // Before the next header, which may lie in another window.
        const use marked = has_size && size < end - at ? use_of(at, size, begin, end) : use::live;
        std::uint64_t next = 0;
        // What is no header may be any number: none that leads back.
        const bool has_next = has_size && size < end - at && end - at - size > fence_size && read_word(at + size + 8, next);
        // The top ends where the heap does: there, or, grown or trimmed since the end was asked for, at another page.
        const bool is_top = has_size && !has_next && size < most_chunk && (at + size) % page_bytes == 0;
        if (is_top) { return count_top(at, end, kind); }
        if (!has_next) {
            if (++all_breaks <= most_breaks_of_heap && go_back(at, breaks)) { continue; }
            break;
        }
        if (marks_.empty() || at - marks_.back().at >= mark_distance) { marks_.push_back({at, run_begin_, tally_}); }
        count_chunk(at, size, (next & previous_lives) == 0, marked);
        at += size;
        if (at > furthest + mark_distance) {
            furthest = at;
            breaks = 0;
        }
    }
    end_run(at);
    tally_.lost += pages_->bytes_in(at, end);
}

bool glibc_heap::add_main(std::uint64_t begin, std::uint64_t end) {
    if (!is_chain(begin, end)) { return false; }
    ++tally_.arenas;
    walk(begin, end, heap_end::main_top);
    claimed_.push_back({begin, end});
    return true;
}

std::uint64_t glibc_heap::try_arena_heap(std::uint64_t at, std::uint64_t end) {
    heap_heading heading{};
    if (!read(at, &heading, sizeof heading) || !is_heading(heading, at)) { return 0; }
    const std::uint64_t heading_bytes = heading.arena % heap_alignment;
    const std::uint64_t limit = at + heading.size;
    std::uint64_t first = at + heading_bytes;
    if (heading.arena - heading_bytes == at) {  // the arena's record comes first, its size is the version's business
        const std::uint64_t last = first + most_arena;
        first += least_arena;
        while (first < last && !is_chain(first, limit)) { first += chunk_alignment; }
        if (first >= last) { return 0; }
        ++tally_.arenas;
    }
    // Only the last heap of an arena has a top; the others end with a fence. A chain that reaches the end is a top's.
    tally_.tables += pages_->bytes_in(at, first);
    walk(first, limit, heap_end::fence);
    return std::min(at + heading.accessible, end);
}

std::uint64_t glibc_heap::try_block(std::uint64_t at, std::uint64_t end) {
    std::array<std::uint64_t, 2> header{};
    if (!read(at, header.data(), sizeof header)) { return 0; }
    const std::uint64_t size = header[1] & ~flag_bits;
    if ((header[1] & flag_bits) != has_own_mapping || header[0] != 0 || size == 0 || size % page_bytes != 0 ||
        size > end - at) {
        return 0;
    }
    ++tally_.live_chunks;
    const std::uint64_t resident = pages_->bytes_in(at, at + size);
    tally_.live += resident;
    tally_.untouched += size - resident;
    mapped_blocks_ += size;
    return at + size;
}

void glibc_heap::add_mapping(std::uint64_t begin, std::uint64_t end, bool finds_blocks) {
    window_end_ = window_begin_ = 0;
    for (std::uint64_t at = begin; at < end;) {
        std::uint64_t found = at % heap_alignment == 0 ? try_arena_heap(at, end) : 0;
        if (found == 0 && finds_blocks) { found = try_block(at, end); }
        if (found != 0) { claimed_.push_back({at, found}); }
        at = found != 0 ? found : finds_blocks ? at + page_bytes : (at / heap_alignment + 1) * heap_alignment;
    }
}

}  // namespace v1
}  // namespace memwatch
