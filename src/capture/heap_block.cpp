// SPDX-License-Identifier: Apache-2.0
#include "capture/heap_block.hpp"

#include <algorithm>
#include <cstring>

#include <memwatch/capture/edge_block.hpp>
#include <memwatch/capture/recorder.hpp>
#include "capture/capture_state.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

using detail::edge_alignment;
using detail::is_edge;
using detail::sample_ticket;
using detail::this_thread;

constexpr tag_id heap_tag = tag_table::untagged;
// As in edge_block.cpp: one page less the word that glibc keeps before a block.
constexpr std::size_t small_edge_bytes = 4088;
// From here on a block is worth looking at where plain malloc put it: glibc maps such blocks, which lie at an edge by
// themselves.
constexpr std::size_t large_bytes = 128U << 10U;
// What an edge may cost beyond the block: the rest of its page, or the part of a page that aligning skips.
constexpr std::size_t edge_waste_bytes = 4096;

bool is_at_page_start(const void* block) noexcept { return reinterpret_cast<std::uintptr_t>(block) % edge_alignment == 0; }

bool fits_one_page(const heap_request& request) noexcept {
    return request.bytes <= small_edge_bytes && request.alignment <= edge_alignment;
}

// Any block at page start of at least a page's usable bytes and not much more.
bool is_one_page(const heap_functions& heap, void* block) noexcept {
    if (!is_at_page_start(block)) { return false; }
    const std::size_t usable = heap.usable_bytes(block);
    return usable >= small_edge_bytes && usable < small_edge_bytes + 128;
}

void* obtain_small(edge_map& edges, const heap_functions& heap, const heap_request& request) noexcept {
    void* page = edges.take_cached();
    if (page == nullptr) { page = heap.allocate_aligned(edge_alignment, small_edge_bytes); }
    if (page != nullptr && request.is_zeroed) { std::memset(page, 0, request.bytes); }
    return page;
}

// Aligned memory is not zeroed memory, and a sparse block must stay sparse: pages go back to the kernel, which gives zeroes.
void* obtain_large(const heap_functions& heap, const heap_request& request) noexcept {
    if (request.alignment <= alignof(std::max_align_t) && request.bytes >= large_bytes) {
        void* const plain = request.is_zeroed ? heap.allocate_zeroed(1, request.bytes) : heap.allocate(request.bytes);
        if (plain == nullptr || is_edge(plain)) { return plain; }
        heap.release(plain);
    }
    void* const block = heap.allocate_aligned(std::max(request.alignment, edge_alignment), request.bytes);
    if (block != nullptr && request.is_zeroed) { platform::zero_pages(block, request.bytes); }
    return block;
}

void* obtain(edge_map& edges, const heap_functions& heap, const heap_request& request) noexcept {
    return fits_one_page(request) ? obtain_small(edges, heap, request) : obtain_large(heap, request);
}

void give_back(edge_map& edges, const heap_functions& heap, void* block) noexcept {
    if (is_one_page(heap, block) && edges.keep_cached(block)) { return; }
    heap.release(block);
}

// The page of a sample, on the account of who asked for it: all samples, or an escalated site (`escalated` > 0).
bool mark_page(capture_state& state, void* block, std::uint8_t escalated) noexcept {
    if (!state.heap_edges.set(block, escalation::owner_of(heap_tag, escalated))) { return false; }
    if (escalated == 0) {
        state.edge_waste.add_waste(edge_waste_bytes);
    } else {
        state.escalation.take_page(escalated);
    }
    return true;
}

// Makes `block`, at an edge, a sample. False: no memory to mark it with.
bool mark(capture_state& state, void* block, std::size_t bytes, sample_ticket ticket, const void* caller) noexcept {
    if (!mark_page(state, block, ticket.escalated)) { return false; }
    detail::record_allocation(block, bytes, heap_tag, {}, ticket, caller);
    return true;
}

// False: no sample. `escalated` then says whose page it was.
bool unmark(capture_state& state, void* block, std::uint8_t& escalated) noexcept {
    std::uint16_t owner = 0;
    if (!state.heap_edges.take(block, owner)) { return false; }
    escalated = escalation::slot_in(owner);
    if (escalated == 0) {
        state.edge_waste.remove_waste(edge_waste_bytes);
    } else {
        state.escalation.give_page_back(escalated);
    }
    return true;
}

bool forget(const void* block, std::uint8_t escalated) noexcept {
    return escalated == 0 ? detail::record_free(block, heap_tag) : detail::record_escalated_free(block, heap_tag);
}

// A sample of a thread that is inside one of our own doors belongs to that door, which has a countdown of its own to take.
bool is_sample(capture_state& state, std::size_t bytes, const void* caller, sample_ticket& ticket) noexcept {
    if (detail::is_covered()) {
        detail::skip_sample(bytes);
        return false;
    }
    ticket = detail::take_sample(detail::sample_request{bytes, heap_tag, caller});
    if (!ticket.is_taken || ticket.escalated != 0) { return ticket.is_taken; }
    const bool is_free = bytes >= small_edge_bytes && !state.edge_waste.is_tight();
    return is_free || state.edge_waste.admits(bytes, ticket, this_thread.random_state);
}

}  // namespace

void* allocate_heap_sample(const heap_functions& heap, const heap_request& request, const void* caller) noexcept {
    capture_state& state = process_capture();
    sample_ticket ticket{};
    if (!is_sample(state, request.bytes, caller, ticket)) { return nullptr; }
    void* const block = obtain(state.heap_edges, heap, request);
    // Not at an edge: an allocator that does not align as asked (mimalloc 2.0 for some sizes). Then it is no sample.
    if (block != nullptr && is_edge(block)) { mark(state, block, request.bytes, ticket, caller); }
    return block;
}

bool forget_heap_sample(void* block) noexcept {
    std::uint8_t escalated = 0;
    if (!unmark(process_capture(), block, escalated)) { return false; }
    forget(block, escalated);  // may be false: thinned away
    return true;
}

bool release_heap_sample(const heap_functions& heap, void* block) noexcept {
    if (!forget_heap_sample(block)) { return false; }
    give_back(process_capture().heap_edges, heap, block);
    return true;
}

void abandon_heap_samples(bool keeps_marks) noexcept {
    process_capture().heap_edges.visit(
        [](void* context, void* page) {
            std::uint8_t escalated = 0;
            if (!*static_cast<const bool*>(context)) { unmark(process_capture(), page, escalated); }
            // A large block of glibc's begins behind a header.
            if (!detail::abandon_record(page, heap_tag)) { detail::abandon_record(static_cast<char*>(page) + 16, heap_tag); }
        },
        &keeps_marks);
}

bool is_heap_sample(const void* block) noexcept { return process_capture().heap_edges.contains(block); }

bool reallocate_heap_sample(const heap_functions& heap, void* block, std::size_t bytes, void*& result) noexcept {
    capture_state& state = process_capture();
    std::uint8_t escalated = 0;
    if (!unmark(state, block, escalated)) { return false; }
    if (bytes != 0 && is_one_page(heap, block)) {  // copying is cheap, and leaves the page for the next sample
        result = heap.allocate(bytes);
        if (result != nullptr) {
            std::memcpy(result, block, std::min(bytes, heap.usable_bytes(block)));
            forget(block, escalated);
            give_back(state.heap_edges, heap, block);
            return true;
        }
    } else {
        // The address may belong to another thread before realloc returns: the record leaves the table first.
        held_block held;
        const bool was_live = detail::hold_record(block, heap_tag, held);
        result = heap.reallocate(block, bytes);
        if (result != nullptr || bytes == 0) {
            if (was_live) { detail::settle_record(held); }
            return true;
        }
        if (was_live) { detail::restore_record(held); }
    }
    mark_page(state, block, escalated);  // failed: all as before
    return true;
}

void* adopt_heap_sample(const heap_functions& heap, void* block, std::size_t bytes, const void* caller) noexcept {
    capture_state& state = process_capture();
    sample_ticket ticket{};
    if (!is_sample(state, bytes, caller, ticket) || block == nullptr) { return block; }  // null: realloc failed
    void* edge = block;
    // A small block that lies at an edge by chance shares its page, and the page has one bit.
    if (!is_edge(block) || bytes < small_edge_bytes) {
        if (heap.usable_bytes(block) < bytes) { return block; }  // an allocator that doesn't tell what may be copied
        edge = obtain(state.heap_edges, heap, {bytes, 0, false});
        if (edge == nullptr) { return block; }
        std::memcpy(edge, block, bytes);
        heap.release(block);
    }
    mark(state, edge, bytes, ticket, caller);
    return edge;
}

}  // namespace v1
}  // namespace memwatch
