// SPDX-License-Identifier: Apache-2.0
#include <memwatch/alloc/tracking_resource.hpp>
#include <memwatch/capture/recorder.hpp>

#include <memory>

#include "alloc/resource_table.hpp"
#include "base/hash.hpp"
#include "capture/own_work.hpp"
#include "capture/sample_request.hpp"

namespace memwatch {
inline namespace v1 {

namespace {

void* fetch(std::pmr::memory_resource& upstream, std::size_t bytes, std::size_t alignment) {
    const detail::covered_scope covered;
    return upstream.allocate(bytes, alignment);
}

}  // namespace

tracking_resource::tracking_resource(memwatch::tag owner, std::pmr::memory_resource* upstream) noexcept
    : tag_(owner), upstream_(upstream != nullptr ? upstream : std::pmr::get_default_resource()) {}

tracking_resource::~tracking_resource() = default;

std::atomic<std::uint32_t>& tracking_resource::filter_of(const void* block) noexcept {
    return live_samples_[mix_bits(reinterpret_cast<std::uint64_t>(block)) % filter_size];
}

void* tracking_resource::do_allocate(std::size_t bytes, std::size_t alignment) {
    detail::sample_ticket ticket{};
    if (__builtin_expect(detail::countdown_borrows(bytes), 0)) {
        ticket = detail::take_sample(detail::sample_request{bytes, tag_.id(), __builtin_return_address(0), false});
    }
    void* const block = fetch(*upstream_, bytes, alignment);  // a throw leaves a draw unused: no bias, nothing counted
    detail::count_allocation(tag_.id(), bytes);
    if (__builtin_expect(ticket.is_taken, 0)) {
        // relaxed: the thread that frees the block has its address, and with it this count, from this thread.
        filter_of(block).fetch_add(1, std::memory_order_relaxed);
        detail::record_allocation(block, bytes, tag_.id(), {}, ticket, __builtin_return_address(0));
    }
    return block;
}

void tracking_resource::do_deallocate(void* block, std::size_t bytes, std::size_t alignment) {
    detail::count_free(tag_.id(), bytes);
    std::atomic<std::uint32_t>& samples = filter_of(block);
    // relaxed, both: as in do_allocate. A block that was thinned away leaves its count behind: later frees that hash here look
    // once too often, and are right.
    if (__builtin_expect(samples.load(std::memory_order_relaxed) != 0, 0) && detail::record_free(block, tag_.id())) {
        samples.fetch_sub(1, std::memory_order_relaxed);
    }
    upstream_->deallocate(block, bytes, alignment);
}

tracking_resource& resource_table::of(memwatch::tag owner) {
    std::atomic<tracking_resource*>& slot = resources_[owner.id()];
    // acquire: pairs with the release below: the resource is built.
    tracking_resource* known = slot.load(std::memory_order_acquire);
    if (__builtin_expect(known != nullptr, 1)) { return *known; }
    const detail::own_work ours;
    auto fresh = std::make_unique<tracking_resource>(owner, std::pmr::new_delete_resource());
    // release: pairs with the acquire above, as does the acquire on failure.
    if (slot.compare_exchange_strong(known, fresh.get(), std::memory_order_release, std::memory_order_acquire)) {
        return *fresh.release();
    }
    return *known;
}

tracking_resource* resource(memwatch::tag owner) { return &process_resources().of(owner); }

}  // namespace v1
}  // namespace memwatch
