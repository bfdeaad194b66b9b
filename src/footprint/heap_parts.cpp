// SPDX-License-Identifier: Apache-2.0
#include "footprint/heap_parts.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include <memwatch/base/units.hpp>
#include "footprint/glibc_heap.hpp"
#include "platform/address_space.hpp"
#include "platform/allocators.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

using platform::page_bytes;

std::uint64_t less(std::uint64_t a, std::uint64_t b) noexcept { return a > b ? a - b : 0; }

std::string told_bytes(std::uint64_t bytes) { return format_bytes(static_cast<double>(bytes)); }

void add_note(std::string& to, const std::string& note) { to += (to.empty() ? "" : "; ") + note; }

// --- glibc

constexpr std::uint64_t fast_tolerance_bytes = 256U << 10U;
// mallinfo2 holds an arena's lock while it goes through its free chunks, some 85 ns each where they are in no cache: beyond
// this many it would hold up the program for longer than 5 ms, and is not asked.
constexpr std::uint64_t most_chunks_asked = 50'000;

glibc_heap walked(anonymous_pages& memory, std::uint64_t mark, bool finds_fast) {
    glibc_heap heap(memory.pages(), &platform::copy_memory, mark, finds_fast);
    const memory_range brk = memory.brk();
    const bool has_main = brk.begin < brk.end && heap.add_main(brk.begin, platform::program_break());
    for (const memory_range& each : memory.left()) {
        if (has_main && each.begin >= brk.begin && each.begin < brk.end) { continue; }
        heap.add_mapping(each.begin, each.end, true);
    }
    return heap;
}

std::uint64_t listed_chunks(const heap_tally& tally) noexcept { return tally.free_chunks + tally.fast / 32; }

allocator_figures figures_of(const heap_tally& tally, bool is_in_charge) {
    allocator_figures figures;
    figures.name = "glibc";
    figures.is_in_charge = is_in_charge;
    figures.reclaimable_bytes = tally.trimmable;
    figures.arenas = tally.arenas;
    figures.remedy = "malloc_trim(0)";
    figures.given_out_bytes = tally.live + tally.untouched;
    figures.free_bytes = tally.trimmable + tally.kept_tops + tally.holes + tally.cached;
    if (tally.kept_tops > figures.reclaimable_bytes / 8) {
        add_note(figures.detail, told_bytes(tally.kept_tops) + " free at the ends of arenas, which malloc_trim leaves");
    }
    if (tally.lost != 0) { add_note(figures.detail, told_bytes(tally.lost) + " changed while they were read"); }
    return figures;
}

void look_at_glibc(anonymous_pages& memory, heap_parts& into) {
    const bool is_in_charge = into.owner == "glibc";
    platform::glibc_figures told;
    // Where another is in charge libc has a heap all the same, but for the loader's few blocks nobody uses it.
    if (!is_in_charge) {
        told = platform::ask_glibc();
        if (!told.is_there || told.from_arenas + told.mapped_blocks == 0) { return; }
    }
    const std::uint64_t mark = is_in_charge ? platform::learn_cache_mark() : 0;
    glibc_heap heap = walked(memory, mark, true);
    const bool is_asked = listed_chunks(heap.tally()) <= most_chunks_asked;
    if (is_asked) { told = platform::ask_glibc(); }
    // Fast chunks are known by what they look like; by their sum it shows whether that was so.
    const bool knows_fast = !is_asked || std::max(heap.tally().fast, told.fast) - std::min(heap.tally().fast, told.fast) <=
                                             told.fast / 20 + fast_tolerance_bytes;
    if (!knows_fast) { heap = walked(memory, mark, false); }
    std::vector<memory_range> taken;
    for (const glibc_heap::range& each : heap.claimed()) { taken.push_back({each.begin, each.end}); }
    const std::uint64_t resident = memory.take(std::move(taken));
    const heap_tally& tally = heap.tally();
    const std::uint64_t fast = knows_fast ? 0 : std::min(told.fast, tally.live);

    allocator_figures figures = figures_of(tally, is_in_charge);
    figures.version = platform::glibc_version();
    figures.resident_bytes = resident;
    if (is_asked) {
        figures.given_out_bytes = told.from_arenas - std::min(told.from_arenas, told.free_in_arenas) + told.mapped_blocks;
        figures.free_bytes = told.free_in_arenas;
        figures.mapped_bytes = told.from_arenas + told.mapped_blocks;
    } else {
        add_note(figures.detail,
                 std::to_string(listed_chunks(tally)) + " free chunks: mallinfo2 was not asked, it would stop the program");
    }
    if (mark == 0 && is_in_charge) { add_note(figures.detail, "blocks in threads' caches count as live"); }
    if (is_asked && less(told.mapped_blocks, heap.mapped_blocks()) > told.mapped_blocks / 50) {
        add_note(figures.detail, told_bytes(told.mapped_blocks - heap.mapped_blocks()) + " of large blocks were not found");
    }
    into.live += tally.live - fast;
    into.retained += tally.trimmable + tally.kept_tops;
    into.fragmentation += tally.holes + tally.cached + fast;
    into.tables += tally.tables;
    into.figures.push_back(std::move(figures));
}

// --- jemalloc

// A leaf of jemalloc's radix tree covers 1 GiB, and 128 MiB in builds for 57-bit addresses (cross-compiled, or on a CPU that
// has them). It may be asked about any address in a leaf that exists, and about no other: it would follow a null pointer.
constexpr std::uint64_t leaf_bytes = std::uint64_t{128} << 20U;
constexpr std::size_t batch = 64;

struct extent_sums {
    std::vector<memory_range> slabs;
    std::vector<memory_range> others;
    std::uint64_t bytes{};
    bool is_answered{true};
};

void collect_extents(const memory_range& piece, extent_sums& into) {
    std::uint64_t addresses[batch];
    platform::jemalloc_extent extents[batch];
    for (std::uint64_t at = piece.begin; at < piece.end;) {
        const std::size_t count = std::min<std::uint64_t>(batch, (piece.end - at) / page_bytes);
        for (std::size_t i = 0; i < count; ++i) { addresses[i] = at + i * page_bytes; }
        if (count == 0 || !platform::ask_jemalloc_extents(addresses, count, extents)) {
            into.is_answered = count == 0;
            return;
        }
        std::uint64_t next = at + count * page_bytes;
        for (std::size_t i = 0; i < count;) {
            const std::uint64_t size = extents[i].bytes;
            if (size == 0 || size % page_bytes != 0 || size > (std::uint64_t{1} << 46U)) {
                ++i;
                continue;
            }
            (extents[i].is_slab() ? into.slabs : into.others).push_back({addresses[i], addresses[i] + size});
            into.bytes += size;
            next = std::max(next, addresses[i] + size);
            i += size / page_bytes;
        }
        at = next;
    }
}

// The parts of `pieces` that lie in leaves where blocks are known to be.
std::vector<memory_range> askable(const std::vector<memory_range>& pieces, const std::vector<std::uint64_t>& addresses) {
    std::set<std::uint64_t> leaves;
    for (const std::uint64_t each : addresses) { leaves.insert(each / leaf_bytes); }
    for (const std::size_t size : {std::size_t{32}, std::size_t{20'000}, std::size_t{1} << 20U}) {
        void* const block = std::malloc(size);  // NOLINT(cppcoreguidelines-no-malloc): to see where it lies
        leaves.insert(reinterpret_cast<std::uint64_t>(block) / leaf_bytes);
        std::free(block);  // NOLINT(cppcoreguidelines-no-malloc)
    }
    std::vector<memory_range> out;
    for (const memory_range& piece : pieces) {
        for (std::uint64_t leaf = piece.begin / leaf_bytes; leaf <= (piece.end - 1) / leaf_bytes; ++leaf) {
            if (leaf == 0 || leaves.count(leaf) == 0) { continue; }
            const memory_range part{std::max(piece.begin, leaf * leaf_bytes), std::min(piece.end, (leaf + 1) * leaf_bytes)};
            // In one, where leaves adjoin: an extent may lie across, and would seem to begin anew.
            if (!out.empty() && out.back().end == part.begin) {
                out.back().end = part.end;
            } else {
                out.push_back(part);
            }
        }
    }
    return out;
}

// jemalloc's records lie in blocks of their own: each a multiple of 2 MiB at such a multiple, which begins with its size and
// the address of the next one (base_block_t of 5.0 to 5.3).
std::vector<memory_range> base_blocks(const std::vector<memory_range>& pieces) {
    constexpr std::uint64_t unit = std::uint64_t{2} << 20U;
    std::vector<memory_range> out;
    for (const memory_range& piece : pieces) {
        for (std::uint64_t at = (piece.begin + unit - 1) / unit * unit; at < piece.end;) {
            std::uint64_t words[2] = {};
            const bool is_read = platform::copy_memory(at, words, sizeof words) == sizeof words;
            const bool is_block =
                is_read && words[0] != 0 && words[0] % unit == 0 && words[0] <= piece.end - at && words[1] % unit == 0;
            if (is_block) { out.push_back({at, at + words[0]}); }
            at += is_block ? words[0] : unit;
        }
    }
    return out;
}

void look_at_jemalloc(anonymous_pages& memory, const heap_question& asked, heap_parts& into) {
    const platform::jemalloc_figures told = platform::ask_jemalloc();
    if (!told.is_there) { return; }
    const std::vector<memory_range> pieces = memory.left();
    extent_sums found;
    // With prefixed names of its own its blocks are not malloc's, whose addresses say nothing about its tree then.
    if (into.owner == "jemalloc") {
        for (const memory_range& each : askable(pieces, asked.some_addresses)) { collect_extents(each, found); }
    }
    std::vector<memory_range> all = found.slabs;
    all.insert(all.end(), found.others.begin(), found.others.end());
    const std::uint64_t slabs = memory.take(std::move(found.slabs));
    const std::uint64_t others = memory.take(std::move(found.others));
    const std::uint64_t cached = std::min(told.cached, told.small);
    const std::uint64_t unused = std::min(told.unused_pages, others);

    allocator_figures figures;
    figures.name = "jemalloc";
    figures.version = told.version;
    figures.path = told.path;
    figures.is_in_charge = into.owner == "jemalloc";
    figures.given_out_bytes = told.small - cached + told.large;
    figures.free_bytes = less(told.active, told.small + told.large) + told.unused_pages + cached;
    figures.mapped_bytes = told.mapped;
    figures.resident_bytes = slabs + others;
    figures.reclaimable_bytes = unused;
    figures.arenas = told.arenas;
    figures.remedy = "mallctl(\"arena.4096.purge\")";
    if (all.empty()) {
        add_note(figures.detail, "its extents could not be asked for: its figures are taken as if all of it were in memory");
        // Never more than there is: one that is not in charge has untouched tables and little else.
        std::uint64_t left = less(memory.bytes_left(), into.not_taken);
        const auto share = [&left, &into](std::uint64_t bytes) {
            const std::uint64_t given = std::min(bytes, left);
            left -= given;
            into.not_taken += given;
            return given;
        };
        const std::uint64_t large = less(told.large, static_cast<std::uint64_t>(asked.untouched_bytes));
        into.live += share(told.small - cached + large);
        into.fragmentation += share(less(told.active, told.small + told.large) + cached);
        figures.reclaimable_bytes = share(told.unused_pages);
        into.retained += figures.reclaimable_bytes;
        into.tables += share(told.tables);
        into.are_tables_derived = true;
        into.figures.push_back(std::move(figures));
        return;
    }
    const std::uint64_t expected = told.active + told.unused_pages;
    if (less(expected, found.bytes) > expected / 50) {
        add_note(figures.detail, told_bytes(expected - found.bytes) + " of its extents were not found");
    }
    into.live += std::min(told.small - cached, slabs) + std::min(others - unused, told.large);
    into.fragmentation += less(slabs, told.small - cached);
    into.retained += unused;
    into.tables += std::min(memory.take(base_blocks(memory.left())), told.tables);
    into.figures.push_back(std::move(figures));
}

// --- tcmalloc, mimalloc: pages by ownership

constexpr std::size_t most_probes = 4096;

// Whether any of some pages of `piece` is the allocator's.
bool is_owned(anonymous_pages& memory, const memory_range& piece, bool (*is_of_it)(std::uint64_t)) {
    const std::uint64_t pages = (piece.end - piece.begin) / page_bytes;
    const std::uint64_t step = std::max<std::uint64_t>(1, pages / most_probes);
    for (std::uint64_t page = 0; page < pages; page += step) {
        const std::uint64_t address = piece.begin + page * page_bytes;
        if (memory.pages().bytes_in(address, address + page_bytes) != 0 && is_of_it(address)) { return true; }
    }
    return false;
}

struct owned_pages {
    std::uint64_t mapped{};
    std::uint64_t resident{};
};

owned_pages take_owned(anonymous_pages& memory, bool (*is_of_it)(std::uint64_t)) {
    std::vector<memory_range> owned;
    owned_pages out;
    for (const memory_range& each : memory.left()) {
        if (!is_owned(memory, each, is_of_it)) { continue; }
        owned.push_back(each);
        out.mapped += each.end - each.begin;
    }
    out.resident = memory.take(std::move(owned));
    return out;
}

void look_at_tcmalloc(anonymous_pages& memory, heap_parts& into) {
    const platform::tcmalloc_figures told = platform::ask_tcmalloc();
    if (!told.is_there) { return; }
    allocator_figures figures;
    figures.name = "tcmalloc";
    figures.version = told.version;
    figures.path = told.path;
    figures.is_in_charge = into.owner == "tcmalloc";
    figures.given_out_bytes = told.given_out;
    figures.free_bytes = told.unused_pages + told.given_back + told.free_in_spans;
    figures.mapped_bytes = told.mapped;
    const owned_pages owned = take_owned(memory, [](std::uint64_t address) { return platform::is_of_tcmalloc(address); });
    figures.resident_bytes = owned.resident;
    figures.remedy = "MallocExtension::ReleaseFreeMemory()";
    // What it says there is and its pages do not hold was never touched, as far as there are pages without memory that it has
    // not given back: free pages first, as it takes memory by the megabyte, then blocks.
    const std::uint64_t absent = less(owned.mapped - owned.resident, told.given_back);
    const std::uint64_t said = told.given_out + told.unused_pages + told.free_in_spans;
    const std::uint64_t untouched = std::min(absent, less(said, owned.resident));
    const std::uint64_t unused = less(told.unused_pages, untouched);
    const std::uint64_t live = less(told.given_out, less(untouched, told.unused_pages));
    figures.reclaimable_bytes = unused;
    into.live += live;
    into.retained += unused;
    into.fragmentation += told.free_in_spans;
    // Its records are not all touched, and lie among the heap (from brk) or in mappings that it does not own up to: what the
    // heap's pages hold beyond blocks, and then of pages that are nobody else's, never more than it says they take.
    const std::uint64_t among = std::min(told.tables, less(figures.resident_bytes, live + unused + told.free_in_spans));
    const std::uint64_t beside = std::min(told.tables - among, less(memory.bytes_left(), into.not_taken));
    into.tables += among + beside;
    into.are_tables_derived = true;
    into.not_taken += beside;
    into.figures.push_back(std::move(figures));
}

void look_at_mimalloc(anonymous_pages& memory, heap_parts& into) {
    const platform::mimalloc_figures told = platform::ask_mimalloc();
    if (!told.is_there) { return; }
    allocator_figures figures;
    figures.name = "mimalloc";
    figures.version = told.version;
    figures.path = told.path;
    figures.is_in_charge = into.owner == "mimalloc";
    const owned_pages owned = take_owned(memory, [](std::uint64_t address) { return platform::is_of_mimalloc(address); });
    figures.resident_bytes = owned.resident;
    figures.mapped_bytes = owned.mapped;
    figures.remedy = "mi_collect(true)";
    figures.detail = "it does not tell live from free: free memory is what tracked blocks leave";
    into.untold += figures.resident_bytes;
    into.figures.push_back(std::move(figures));
}

}  // namespace

heap_parts look_at_heap(anonymous_pages& memory, const heap_question& asked) {
    heap_parts out;
    out.owner = platform::owner_of_malloc(asked.allocator).name;
    look_at_glibc(memory, out);
    look_at_mimalloc(memory, out);
    look_at_tcmalloc(memory, out);
    look_at_jemalloc(memory, asked, out);
    std::stable_sort(out.figures.begin(), out.figures.end(),
                     [](const allocator_figures& a, const allocator_figures& b) { return a.is_in_charge && !b.is_in_charge; });
    return out;
}

}  // namespace v1
}  // namespace memwatch
