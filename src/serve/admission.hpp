// SPDX-License-Identifier: Apache-2.0
#pragma once
// Full snapshots cost real time (about 0.1 us a live sample to freeze, several times that to encode), and anyone who may GET
// may ask for one. So they run one at a time, and no more often than a bucket that holds `burst` and refills one a
// `refill_ns`. Whoever is refused is told when to come back: of a window that is open (`seconds=N`), when it closes.
//
// Threads: any.

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <utility>

#include <memwatch/base/clock.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

class admission {
public:
    admission(clock_function clock, double burst, std::uint64_t refill_ns)
        : clock_(clock), burst_(burst), refill_ns_(refill_ns), tokens_(burst), refilled_ns_(clock()) {}

    // Held while the snapshot is taken and encoded. Not admitted: `retry_after_s` is at least 1.
    class ticket {
    public:
        ticket(admission* owner, std::uint64_t retry_after_s, bool awaits_window = false) noexcept
            : owner_(owner), retry_after_s_(retry_after_s), awaits_window_(awaits_window) {}
        ticket(ticket&& other) noexcept
            : owner_(std::exchange(other.owner_, nullptr)),
              retry_after_s_(other.retry_after_s_),
              awaits_window_(other.awaits_window_) {}
        ticket(const ticket&) = delete;
        ticket& operator=(const ticket&) = delete;
        ticket& operator=(ticket&&) = delete;
        ~ticket() {
            if (owner_ != nullptr) { owner_->leave(); }
        }
        [[nodiscard]] bool is_admitted() const noexcept { return owner_ != nullptr; }
        [[nodiscard]] std::uint64_t retry_after_s() const noexcept { return retry_after_s_; }
        [[nodiscard]] bool awaits_window() const noexcept { return awaits_window_; }  // not admitted because one is open

    private:
        admission* owner_;
        std::uint64_t retry_after_s_;
        bool awaits_window_;
    };

    // `expected_ns`: how long the ticket will be held on purpose; others are told to come back after it.
    [[nodiscard]] ticket try_enter(std::uint64_t expected_ns = 0) {
        const std::lock_guard lock(mutex_);
        const std::uint64_t now = clock_();
        tokens_ = std::min(burst_, tokens_ + static_cast<double>(now - refilled_ns_) / static_cast<double>(refill_ns_));
        refilled_ns_ = now;
        if (is_busy_ && now < free_again_ns_) { return {nullptr, 1 + (free_again_ns_ - now - 1) / second_ns, true}; }
        if (is_busy_) { return {nullptr, 1}; }
        if (tokens_ < 1.0) {
            const double wait_ns = (1.0 - tokens_) * static_cast<double>(refill_ns_);
            return {nullptr, 1 + static_cast<std::uint64_t>(wait_ns / static_cast<double>(second_ns))};
        }
        tokens_ -= 1.0;
        is_busy_ = true;
        free_again_ns_ = now + expected_ns;
        return {this, 0};
    }

private:
    static constexpr std::uint64_t second_ns = 1'000'000'000;

    void leave() noexcept {
        const std::lock_guard lock(mutex_);
        is_busy_ = false;
    }

    const clock_function clock_;
    const double burst_;
    const std::uint64_t refill_ns_;
    std::mutex mutex_;
    double tokens_;                  // guarded by mutex_; 0 .. burst_
    std::uint64_t refilled_ns_;      // guarded by mutex_
    std::uint64_t free_again_ns_{};  // guarded by mutex_; of the ticket that is out
    bool is_busy_{};                 // guarded by mutex_
};

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
