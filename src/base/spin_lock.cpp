// SPDX-License-Identifier: Apache-2.0
#include "base/spin_lock.hpp"

#include <cassert>
#include <thread>

namespace memwatch {
inline namespace v1 {

void spin_lock::lock_slow() noexcept {
    constexpr int spins_before_yield = 64;  // about 1 us: longer than any section, shorter than a reschedule
    int spins = 0;
    for (;;) {
        // relaxed: only watches for a change; the exchange below synchronises.
        while (is_locked_.load(std::memory_order_relaxed)) {
            if (++spins < spins_before_yield) {
#if defined(__x86_64__)
                __builtin_ia32_pause();
#endif
            } else {
                std::this_thread::yield();
            }
        }
        // acquire: pairs with the release in unlock().
        if (!is_locked_.exchange(true, std::memory_order_acquire)) { return; }
    }
}

#ifndef NDEBUG
namespace {
// How many locks of each rank this thread holds, as a bit set: several of one rank are held only by fork's prepare handler.
__thread std::uint32_t held_ranks = 0;
}  // namespace

void spin_lock::note_locked() noexcept {
    const auto bit = 1U << static_cast<unsigned>(rank_);
    assert(held_ranks < (bit << 1U) && "locks must be taken in rank order");
    held_ranks |= bit;
}

void spin_lock::note_unlocked() noexcept { held_ranks &= ~(1U << static_cast<unsigned>(rank_)); }
#endif

}  // namespace v1
}  // namespace memwatch
