// SPDX-License-Identifier: Apache-2.0
// relaxed throughout: the escalation's header says why torn slots do no harm; the rest are figures.
#include "capture/escalation.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// One bit of 256 for a caller.
struct filter_bit {
    std::size_t word;
    std::uint64_t bit;
};
filter_bit bit_of(std::uint64_t caller) noexcept {
    const std::uint64_t hash = (caller * 0x9E3779B97F4A7C15ULL) >> 56U;
    return {hash / 64, std::uint64_t{1} << hash % 64};
}

}  // namespace

std::uint64_t escalation::stack_key(const std::uint64_t* frames, std::uint32_t depth) noexcept {
    return hash_words(frames, std::min(depth, compared_frames));
}

void escalation::put(std::size_t at, const escalated_site& site) noexcept {
    site_slot& s = slots_[at];
    const bool was_used = callers_[at].exchange(0, std::memory_order_relaxed) != 0;
    s.stack.store(site.stack, std::memory_order_relaxed);
    s.least_bytes.store(site.least_bytes, std::memory_order_relaxed);
    s.most_bytes.store(site.most_bytes, std::memory_order_relaxed);
    s.recorded.store(0, std::memory_order_relaxed);
    s.most_pages.store(0, std::memory_order_relaxed);
    s.records_left.store(0, std::memory_order_relaxed);
    callers_[at].store(site.caller, std::memory_order_relaxed);
    rebuild_filter();
    if (!was_used) { active_.fetch_add(1, std::memory_order_relaxed); }
}

void escalation::clear(std::size_t at) noexcept {
    if (callers_[at].exchange(0, std::memory_order_relaxed) == 0) { return; }
    rebuild_filter();
    active_.fetch_sub(1, std::memory_order_relaxed);
}

void escalation::rebuild_filter() noexcept {
    std::uint64_t words[filter_words]{};
    for (const number& caller : callers_) {
        const std::uint64_t address = caller.load(std::memory_order_relaxed);
        if (address == 0) { continue; }
        const filter_bit bit = bit_of(address);
        words[bit.word] |= bit.bit;
    }
    for (std::size_t i = 0; i < filter_words; ++i) { filter_[i].store(words[i], std::memory_order_relaxed); }
}

void escalation::allow(std::size_t at, std::uint32_t pages, std::uint32_t records) noexcept {
    slots_[at].most_pages.store(slots_[at].pages.load(std::memory_order_relaxed) + pages, std::memory_order_relaxed);
    slots_[at].records_left.store(records, std::memory_order_relaxed);
}

void escalation::limit(std::size_t most_bytes, std::uint32_t permille) noexcept {
    most_pages_.store(most_bytes / page_bytes, std::memory_order_relaxed);
    permille_.store(permille, std::memory_order_relaxed);
}

bool escalation::has_room(const site_slot& s, bool takes_page) const noexcept {
    if (!takes_page) { return s.records_left.load(std::memory_order_relaxed) != 0; }
    return s.pages.load(std::memory_order_relaxed) < s.most_pages.load(std::memory_order_relaxed) &&
           pages_.load(std::memory_order_relaxed) < most_pages_.load(std::memory_order_relaxed);
}

// A page is counted when its block has one: threads that found the last at the same time take one each.
bool escalation::take_room(site_slot& s, bool takes_page) noexcept {
    if (takes_page) { return has_room(s, true); }
    std::uint32_t left = s.records_left.load(std::memory_order_relaxed);
    while (left != 0) {
        if (s.records_left.compare_exchange_weak(left, left - 1, std::memory_order_relaxed, std::memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

bool escalation::fits(std::size_t at, const detail::sample_request& request) const noexcept {
    if (callers_[at].load(std::memory_order_relaxed) != reinterpret_cast<std::uint64_t>(request.caller)) { return false; }
    const site_slot& s = slots_[at];
    return request.bytes >= s.least_bytes.load(std::memory_order_relaxed) &&
           request.bytes <= s.most_bytes.load(std::memory_order_relaxed);
}

bool escalation::may_hold(const detail::sample_request& request) const noexcept {
    if (request.caller == nullptr) { return false; }
    const filter_bit bit = bit_of(reinterpret_cast<std::uint64_t>(request.caller));
    if ((filter_[bit.word].load(std::memory_order_relaxed) & bit.bit) == 0) { return false; }
    for (std::size_t at = 0; at < most_sites; ++at) {
        if (fits(at, request) && has_room(slots_[at], request.takes_page)) { return true; }
    }
    return false;
}

std::uint8_t escalation::find(const detail::sample_request& request, std::uint64_t stack) noexcept {
    for (std::size_t at = 0; at < most_sites; ++at) {
        if (!fits(at, request) || slots_[at].stack.load(std::memory_order_relaxed) != stack) { continue; }
        if (take_room(slots_[at], request.takes_page)) { return static_cast<std::uint8_t>(at + 1); }
        times_full_.fetch_add(1, std::memory_order_relaxed);
    }
    return 0;
}

void escalation::take_page(std::uint8_t slot_and_one) noexcept {
    slots_[slot_and_one - 1U].pages.fetch_add(1, std::memory_order_relaxed);
    pages_.fetch_add(1, std::memory_order_relaxed);
}

void escalation::give_page_back(std::uint8_t slot_and_one) noexcept {
    slots_[slot_and_one - 1U].pages.fetch_sub(1, std::memory_order_relaxed);
    pages_.fetch_sub(1, std::memory_order_relaxed);
}

void escalation::count_record(std::uint8_t slot_and_one) noexcept {
    slots_[slot_and_one - 1U].recorded.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace v1
}  // namespace memwatch
