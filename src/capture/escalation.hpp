// SPDX-License-Identifier: Apache-2.0
#pragma once
// Suspect sites, recorded block by block, while everything else goes on being sampled at R. At R = 1 MiB a leak of 64-byte
// blocks shows one block in 16,384; escalated, each of them.
//
//   wish: site 17 --runtime--> slot 3: caller 0x55..4e1a, stack 0x9f3c.., 64 .. 256 B, 64 pages to go
//                                         |
//   malloc(64), countdown at 0 --> caller is in the filter? no: to the allocator, some 30 ns later than otherwise
//                                  caller and size fit slot 3, there is room, the first 32 frames are the same:
//                                  recorded with an interval of 0, that is with its exact weight
//
// What is cheap before the stack is walked is the caller's return address and the size; a wrapper around malloc gives many
// sites one caller, so the walk decides. Whether a block is looked at depends on what went before and on its size, caller and
// stack, never on what becomes of it: each block's weight follows from its own probability (1, or Poisson's at R), and sums
// stay unbiased, of this site and of all others. Checked by tests/unit/capture/escalation_test.cpp, 4 sigma.
//
// Bounded: most_sites slots; pages (a recorded block of a heap or of a tracked_allocator lies at a page edge) by a limit of
// their own beside edge_budget, a slot's by what runtime allows it an epoch; records without a page (pools, resources) by a
// number. Time: attention.hpp. A full slot is as if it were not there: its blocks are sampled, as before.
//
// Threads: slots are written by one thread of the control lane, in place, while others read them. All fields are relaxed
// atomics: a slot that is changed while it is read fits nobody, or the site before, or the one after; each is right.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "capture/sample_request.hpp"
#include "capture/self_meter.hpp"

namespace memwatch {
inline namespace v1 {

// What a slot looks for.
struct escalated_site {
    std::uint64_t caller{};  // the innermost return address in the program's own code; 0 = nothing
    std::uint64_t stack{};   // escalation::stack_key() of the site's frames
    std::uint64_t least_bytes{};
    std::uint64_t most_bytes{};
};

class escalation {
public:
    static constexpr std::size_t most_sites = 32;
    static constexpr std::size_t page_bytes = 4096;  // what a recorded block may cost beyond itself
    static constexpr std::uint32_t compared_frames = 32;

    // Names a stack by its innermost frames, from the caller outwards.
    [[nodiscard]] static std::uint64_t stack_key(const std::uint64_t* frames, std::uint32_t depth) noexcept;

    // Control lane, one thread at a time.
    void put(std::size_t at, const escalated_site& site) noexcept;
    void clear(std::size_t at) noexcept;
    // From now on the slot may hold `pages` more pages than it has now, and record `records` more blocks that take none.
    void allow(std::size_t at, std::uint32_t pages, std::uint32_t records) noexcept;
    // relaxed, all: settings and figures.
    void limit(std::size_t most_bytes, std::uint32_t permille) noexcept;
    [[nodiscard]] std::uint32_t pages_of(std::size_t at) const noexcept {
        return slots_[at].pages.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t recorded_by(std::size_t at) const noexcept {
        return slots_[at].recorded.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::size_t waste_bytes() const noexcept { return pages_.load(std::memory_order_relaxed) * page_bytes; }
    [[nodiscard]] std::uint32_t active_sites() const noexcept { return active_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t times_full() const noexcept { return times_full_.load(std::memory_order_relaxed); }

    // Whether any slot is taken: threads then look at each block. [hook]
    [[nodiscard]] bool is_active() const noexcept { return active_.load(std::memory_order_relaxed) != 0; }
    // Thousandths of a thread's time that looking may take; 0: no limit. [hook]
    [[nodiscard]] std::uint32_t permille() const noexcept { return permille_.load(std::memory_order_relaxed); }
    // Whether a block may be one of ours, before its stack is known. [hook]
    [[nodiscard]] bool may_hold(const detail::sample_request& request) const noexcept;
    // The slot whose block this is, with room for it, plus 1; 0: none. [hook]
    [[nodiscard]] std::uint8_t find(const detail::sample_request& request, std::uint64_t stack) noexcept;

    // A recorded block's page, from record to free. [hook]
    void take_page(std::uint8_t slot_and_one) noexcept;
    void give_page_back(std::uint8_t slot_and_one) noexcept;
    void count_record(std::uint8_t slot_and_one) noexcept;

    // How a page remembers what it holds: beside the tag, in 16 bits.
    static constexpr std::uint16_t is_escalated = 0x8000;
    [[nodiscard]] static constexpr std::uint16_t owner_of(std::uint16_t tag, std::uint8_t slot_and_one) noexcept {
        return slot_and_one == 0 ? tag : static_cast<std::uint16_t>(is_escalated | (slot_and_one - 1U) << 10U | tag);
    }
    [[nodiscard]] static constexpr std::uint8_t slot_in(std::uint16_t owner) noexcept {
        return (owner & is_escalated) == 0 ? 0 : static_cast<std::uint8_t>((owner >> 10U & 31U) + 1U);
    }
    [[nodiscard]] static constexpr std::uint16_t tag_in(std::uint16_t owner) noexcept {
        return (owner & is_escalated) == 0 ? owner : owner & (max_tags - 1);
    }
    static_assert(max_tags == 1U << 10U && most_sites == 1U << 5U, "one bit, the slot and the tag in 16");

    // What its records and their frees cost, apart from what samples cost: it must not raise R for everybody.
    self_meter cost;

private:
    using number = std::atomic<std::uint64_t>;
    struct alignas(64) site_slot {
        number stack{0};
        number least_bytes{0};
        number most_bytes{0};
        number recorded{0};
        std::atomic<std::uint32_t> pages{0};  // held now, of whichever site the slot has had
        std::atomic<std::uint32_t> most_pages{0};
        std::atomic<std::uint32_t> records_left{0};  // that take no page
    };
    static constexpr std::size_t filter_words = 4;

    [[nodiscard]] bool has_room(const site_slot& s, bool takes_page) const noexcept;
    [[nodiscard]] bool take_room(site_slot& s, bool takes_page) noexcept;
    [[nodiscard]] bool fits(std::size_t at, const detail::sample_request& request) const noexcept;
    void rebuild_filter() noexcept;

    alignas(64) number filter_[filter_words]{};  // of the callers in use
    std::atomic<std::uint32_t> active_{0};
    std::atomic<std::uint32_t> permille_{0};
    std::atomic<std::uint64_t> pages_{0};
    std::atomic<std::uint64_t> most_pages_{0};
    std::atomic<std::uint64_t> times_full_{0};  // blocks that fitted a slot without room
    alignas(64) number callers_[most_sites]{};
    site_slot slots_[most_sites];
};

namespace detail {

// escalation::stack_key() of the calling thread's stack, from `caller` on. [hook]
[[nodiscard]] std::uint64_t key_of_this_stack(const void* caller) noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
