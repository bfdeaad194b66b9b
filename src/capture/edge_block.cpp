// SPDX-License-Identifier: Apache-2.0
#include <memwatch/capture/edge_block.hpp>
#include <memwatch/capture/recorder.hpp>

#include <algorithm>
#include <new>

#include "capture/capture_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace detail {
namespace {

// One page less the word that glibc keeps before a block: such blocks can lie side by side. What the heap leaves between them
// is at most as much again, when nothing else is allocated that fits there; the limit on waste is half of the budget for that.
constexpr std::size_t small_edge_bytes = 4088;

struct edge_shape {
    std::size_t bytes;
    std::size_t alignment;
    [[nodiscard]] bool is_one_page() const noexcept { return bytes == small_edge_bytes && alignment == edge_alignment; }
};

// What a request becomes at an edge; the same on free, because a standard deallocate gets the same size and type.
edge_shape shape_of(std::size_t bytes, std::size_t alignment) noexcept {
    return {std::max(bytes, small_edge_bytes), std::max(alignment, edge_alignment)};
}

void* obtain(edge_map& edges, edge_shape shape) {
    if (shape.is_one_page()) {
        if (void* const page = edges.take_cached(); page != nullptr) { return page; }
    }
    const covered_scope covered;
    return ::operator new (shape.bytes, std::align_val_t{shape.alignment});
}

void give_back(edge_map& edges, void* block, edge_shape shape) noexcept {
    if (shape.is_one_page() && edges.keep_cached(block)) { return; }
    ::operator delete (block, std::align_val_t{shape.alignment});
}

}  // namespace

void* allocate_sampled(std::size_t bytes, std::size_t alignment, tag_id owner, std::string_view type) {
    const void* const caller = __builtin_return_address(0);
    sample_ticket ticket = take_sample(sample_request{bytes, owner, caller});
    if (!ticket.is_taken) { return nullptr; }
    capture_state& state = process_capture();
    const edge_shape shape = shape_of(bytes, alignment);
    const bool needs_leave = shape.bytes != bytes && ticket.escalated == 0;  // an escalated site's page was asked for before
    if (needs_leave && !state.edge_waste.admits(bytes, ticket, this_thread.random_state)) { return nullptr; }
    void* const block = obtain(state.edges, shape);
    if (!state.edges.set(block, escalation::owner_of(owner, ticket.escalated))) {
        give_back(state.edges, block, shape);
        return nullptr;
    }
    if (ticket.escalated == 0) {
        state.edge_waste.add_waste(shape.bytes - bytes);
    } else {
        state.escalation.take_page(ticket.escalated);
    }
    record_allocation(block, bytes, owner, type, ticket, caller);
    return block;
}

bool release_sampled(void* address, std::size_t bytes, std::size_t alignment, tag_id owner) noexcept {
    capture_state& state = process_capture();
    std::uint16_t noted = owner;
    if (!state.edges.take(address, noted)) { return false; }
    const tag_id allocated_under = escalation::tag_in(noted);
    const std::uint8_t escalated = escalation::slot_in(noted);
    // The counters of both tags are wrong by now, which nothing can mend; the record at least is the right one.
    if (allocated_under != owner) { state.attribution.count_mismatch(); }
    const edge_shape shape = shape_of(bytes, alignment);
    // A record may have been thinned away: the page is ours all the same.
    if (escalated == 0) {
        record_free(address, allocated_under);
        state.edge_waste.remove_waste(shape.bytes - bytes);
    } else {
        record_escalated_free(address, allocated_under);
        state.escalation.give_page_back(escalated);
    }
    give_back(state.edges, address, shape);
    return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
