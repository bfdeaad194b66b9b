// SPDX-License-Identifier: Apache-2.0
#include "capture/edge_map.hpp"

#include <algorithm>
#include <mutex>

#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t bits_per_word = 64;

std::uint64_t page_of(const void* address) noexcept { return reinterpret_cast<std::uint64_t>(address) >> 12U; }
std::uint64_t bit_of(std::uint64_t page) noexcept { return 1ULL << (page % bits_per_word); }

}  // namespace

edge_map::word* edge_map::leaf(std::uint64_t page) const noexcept {
    const std::uint64_t index = page / pages_per_leaf;
    // acquire: pairs with the release in leaf_or_reserve().
    return index < leaf_count ? leaves_[index].load(std::memory_order_acquire) : nullptr;
}

edge_map::word* edge_map::leaf_or_reserve(std::uint64_t page) noexcept {
    if (word* const found = leaf(page); found != nullptr) { return found; }
    const std::uint64_t index = page / pages_per_leaf;
    if (index >= leaf_count) { return nullptr; }  // an address above 2^48: five-level page tables, opted into by the program
    constexpr std::size_t leaf_bytes = pages_per_leaf / 8 + pages_per_leaf * sizeof(owner_word);
    auto* const fresh = static_cast<word*>(platform::reserve_memory(leaf_bytes));
    if (fresh == nullptr) { return nullptr; }
    word* expected = nullptr;
    // release: pairs with the acquire in leaf(); the zeroed words come from the kernel. acquire on failure: the winner's leaf.
    if (leaves_[index].compare_exchange_strong(expected, fresh, std::memory_order_release, std::memory_order_acquire)) {
        // relaxed: a figure for reports.
        reserved_leaves_.fetch_add(1, std::memory_order_relaxed);
        return fresh;
    }
    return expected;  // lost the race once in a process' life; 2 MiB of untouched address space stay behind
}

edge_map::owner_word& edge_map::owner_in(word* leaf, std::uint64_t page) noexcept {
    return reinterpret_cast<owner_word*>(leaf + pages_per_leaf / bits_per_word)[page % pages_per_leaf];
}

bool edge_map::set(const void* address) noexcept {
    const std::uint64_t page = page_of(address);
    word* const words = leaf_or_reserve(page);
    if (words == nullptr) {
        losses_.count(drop_reason::no_memory);
        return false;
    }
    // relaxed: the thread that frees the block got its address from this one, with an ordering of its own.
    words[page % pages_per_leaf / bits_per_word].fetch_or(bit_of(page), std::memory_order_relaxed);
    return true;
}

bool edge_map::take(const void* address) noexcept {
    const std::uint64_t page = page_of(address);
    word* const words = leaf(page);
    if (words == nullptr) { return false; }
    word& bits = words[page % pages_per_leaf / bits_per_word];
    // relaxed: as in set(); neighbouring bits belong to other blocks, hence the read-modify-write.
    if ((bits.load(std::memory_order_relaxed) & bit_of(page)) == 0) { return false; }
    return (bits.fetch_and(~bit_of(page), std::memory_order_relaxed) & bit_of(page)) != 0;  // relaxed: as above
}

bool edge_map::set(const void* address, std::uint16_t owner) noexcept {
    const std::uint64_t page = page_of(address);
    word* const words = leaf_or_reserve(page);
    // relaxed: as has_owners_ below; where there never was an owner, no word need be looked at to say so again.
    if (words != nullptr && (owner != 0 || has_owners_.load(std::memory_order_relaxed))) {
        owner_word& known = owner_in(words, page);
        // relaxed, all: as the bit; the page is the caller's until it sets it. Looked at first: an untouched one stays so.
        if (known.load(std::memory_order_relaxed) != owner) {
            known.store(owner, std::memory_order_relaxed);
            has_owners_.store(true, std::memory_order_relaxed);  // relaxed: as above
        }
    }
    return set(address);
}

bool edge_map::take(const void* address, std::uint16_t& owner) noexcept {
    const std::uint64_t page = page_of(address);
    word* const words = leaf(page);
    if (words == nullptr) { return false; }
    // relaxed, all: as in set(). A map without owners has untouched ones, which stay so.
    const bool has_owners = has_owners_.load(std::memory_order_relaxed);
    const std::uint16_t known = has_owners ? owner_in(words, page).load(std::memory_order_relaxed) : 0;
    if (!take(address)) { return false; }
    owner = known;
    return true;
}

bool edge_map::contains(const void* address) const noexcept {
    const std::uint64_t page = page_of(address);
    const word* const words = leaf(page);
    // relaxed: as in set().
    return words != nullptr &&
           (words[page % pages_per_leaf / bits_per_word].load(std::memory_order_relaxed) & bit_of(page)) != 0;
}

void edge_map::visit(void (*each)(void* context, void* page), void* context) const noexcept {
    for (std::size_t index = 0; index < leaf_count; ++index) {
        const word* const words = leaves_[index].load(std::memory_order_acquire);  // acquire: pairs with leaf_or_reserve()
        for (std::size_t i = 0; words != nullptr && i < pages_per_leaf / bits_per_word; ++i) {
            // relaxed: as in set().
            for (std::uint64_t bits = words[i].load(std::memory_order_relaxed); bits != 0; bits &= bits - 1) {
                const auto bit = static_cast<std::uint64_t>(__builtin_ctzll(bits));
                each(context, reinterpret_cast<void*>((index * pages_per_leaf + i * bits_per_word + bit) << 12U));
            }
        }
    }
}

void* edge_map::take_cached() noexcept {
    const std::lock_guard guard(cache_lock_);
    return cached_ == 0 ? nullptr : cache_[--cached_];
}

bool edge_map::keep_cached(void* page) noexcept {
    const std::lock_guard guard(cache_lock_);
    if (!is_cache_open_ || cached_ == cache_capacity) { return false; }
    cache_[cached_++] = page;
    return true;
}

void edge_map::open_cache(bool is_open) noexcept {
    const std::lock_guard guard(cache_lock_);
    is_cache_open_ = is_open;
}

std::size_t edge_map::self_bytes() noexcept {
    constexpr std::size_t page = 4096;
    const std::lock_guard guard(cache_lock_);
    // relaxed, both: figures for reports. A leaf's touched pages are few; 16 of its 32 is generous for a heap of 2 GiB, and so
    // is one page of owners for each 8 MiB of 512.
    const std::size_t pages = has_owners_.load(std::memory_order_relaxed) ? 16 + 64 : 16;
    return reserved_leaves_.load(std::memory_order_relaxed) * pages * page + cached_ * page;  // relaxed: as above
}

}  // namespace v1
}  // namespace memwatch
