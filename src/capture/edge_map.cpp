// SPDX-License-Identifier: Apache-2.0
#include "capture/edge_map.hpp"

#include <algorithm>
#include <mutex>

#include "capture/own_work.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t bits_per_word = 64;
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t page_words = page_bytes / sizeof(std::uint64_t);

std::uint64_t page_of(const void* address) noexcept { return reinterpret_cast<std::uint64_t>(address) >> 12U; }
std::uint64_t bit_of(std::uint64_t page) noexcept { return 1ULL << (page % bits_per_word); }

// The lock, taken where the program allocates and frees. A signal handler that ends the program then sees that we are at work,
// and does not wait for a dump that would wait for this lock.
class guard_in_hook {
public:
    explicit guard_in_hook(spin_lock& lock) noexcept : guard_(lock) {}

private:
    const detail::own_work ours_;
    const std::lock_guard<spin_lock> guard_;
};

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
        return fresh;
    }
    return expected;  // lost the race once in a process' life; 2 MiB of untouched address space stay behind
}

edge_map::owner_word& edge_map::owner_in(word* leaf, std::uint64_t page) noexcept {
    return reinterpret_cast<owner_word*>(leaf + pages_per_leaf / bits_per_word)[page % pages_per_leaf];
}

void edge_map::count_touch(std::uint64_t page) noexcept {
    constexpr std::size_t pages_per_bit = pages_per_leaf / 32;
    const std::uint32_t bit = 1U << (page % pages_per_leaf / pages_per_bit);
    std::atomic<std::uint32_t>& known = touched_[page / pages_per_leaf];
    // relaxed, all: figures for reports.
    if ((known.load(std::memory_order_relaxed) & bit) != 0) { return; }
    if ((known.fetch_or(bit, std::memory_order_relaxed) & bit) != 0) { return; }
    touched_pages_.fetch_add(1, std::memory_order_relaxed);
    used_[page / pages_per_leaf].fetch_or(bit, std::memory_order_relaxed);
    waste_.add_waste(page_bytes);
}

bool edge_map::set(const void* address) noexcept {
    const std::uint64_t page = page_of(address);
    word* const words = leaf_or_reserve(page);
    if (words == nullptr) {
        losses_.count(drop_reason::no_memory);
        return false;
    }
    const guard_in_hook guard(cache_lock_);  // against release_empty_pages()
    count_touch(page);
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
    // relaxed: as owner_stores_ below; where there never was an owner, no word need be looked at to say so again.
    if (words != nullptr && (owner != 0 || owner_stores_.load(std::memory_order_relaxed) != 0)) {
        owner_word& known = owner_in(words, page);
        // relaxed, all: as the bit; the page is the caller's until it sets it. Looked at first: an untouched one stays so.
        if (known.load(std::memory_order_relaxed) != owner) {
            known.store(owner, std::memory_order_relaxed);
            owner_stores_.fetch_add(1, std::memory_order_relaxed);  // relaxed: as above
        }
    }
    return set(address);
}

bool edge_map::take(const void* address, std::uint16_t& owner) noexcept {
    const std::uint64_t page = page_of(address);
    word* const words = leaf(page);
    if (words == nullptr) { return false; }
    // relaxed, all: as in set(). A map without owners has untouched ones, which stay so.
    const bool has_owners = owner_stores_.load(std::memory_order_relaxed) != 0;
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

void edge_map::visit_stretches(void (*each)(void* context, std::uint64_t begin), void* context) const noexcept {
    for (std::size_t index = 0; index < leaf_count; ++index) {
        if (leaves_[index].load(std::memory_order_relaxed) == nullptr) { continue; }  // relaxed: a figure for reports
        const std::uint32_t known = used_[index].load(std::memory_order_relaxed);     // relaxed: as above
        for (std::uint32_t left = known; left != 0; left &= left - 1) {
            const auto at = static_cast<std::uint64_t>(__builtin_ctz(left));
            each(context, (index * 32 + at) * stretch_bytes);
        }
    }
}

bool edge_map::is_empty(const word* bits) const noexcept {
    for (std::size_t i = 0; i < page_words; ++i) {
        if (bits[i].load(std::memory_order_relaxed) != 0) { return false; }  // relaxed: as in set()
    }
    return true;
}

void edge_map::release_empty_pages() noexcept {
    constexpr std::size_t few = 8;
    // relaxed, all: figures; bits are set under the lock only, so a page that is empty there stays so.
    for (std::size_t index = 0; index < leaf_count && touched_pages_.load(std::memory_order_relaxed) > few; ++index) {
        word* const words = leaves_[index].load(std::memory_order_acquire);  // acquire: pairs with leaf_or_reserve()
        if (words == nullptr) { continue; }
        const std::uint32_t known = touched_[index].load(std::memory_order_relaxed);  // relaxed: as above
        for (std::uint32_t left = known; left != 0; left &= left - 1) {
            const auto at = static_cast<std::size_t>(__builtin_ctz(left));
            word* const bits = words + at * page_words;
            if (!is_empty(bits)) { continue; }
            const std::lock_guard guard(cache_lock_);
            if (!is_empty(bits)) { continue; }
            platform::zero_pages(bits, page_words * sizeof(word));
            touched_[index].fetch_and(~(1U << at), std::memory_order_relaxed);  // relaxed: as above
            touched_pages_.fetch_sub(1, std::memory_order_relaxed);             // relaxed: as above
            waste_.remove_waste(page_bytes);
        }
    }
}

void* edge_map::take_cached() noexcept {
    const guard_in_hook guard(cache_lock_);
    return cached_ == 0 ? nullptr : cache_[--cached_];
}

bool edge_map::keep_cached(void* page) noexcept {
    const guard_in_hook guard(cache_lock_);
    if (!is_cache_open_ || cached_ >= most_cached_) { return false; }
    cache_[cached_++] = page;
    return true;
}

void edge_map::open_cache(bool is_open) noexcept {
    const std::lock_guard guard(cache_lock_);
    is_cache_open_ = is_open;
}

void edge_map::limit_cache(std::size_t most) noexcept {
    const std::lock_guard guard(cache_lock_);
    most_cached_ = std::min(most, cache_capacity);
}

std::size_t edge_map::self_bytes() noexcept {
    const std::lock_guard guard(cache_lock_);
    // relaxed, both: figures for reports. A page of bits stands for 128 MiB of heap, and 16 pages of owners; each store touches
    // one at most.
    const std::size_t owners = std::min(touched_pages_.load(std::memory_order_relaxed) * 16,
                                        owner_stores_.load(std::memory_order_relaxed));  // relaxed: as above
    return (owners + cached_) * page_bytes;
}

}  // namespace v1
}  // namespace memwatch
