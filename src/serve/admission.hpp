// SPDX-License-Identifier: Apache-2.0
#pragma once
// Full snapshots cost real time (about 0.1 us a live sample to freeze, several times that to encode), and anyone who may GET
// may ask for one. So they run one at a time, and no more often than a bucket that holds `burst` and refills one a
// `refill_ns`. Whoever is refused is told when to come back.
//
// Threads: any.

#include <algorithm>
#include <cstdint>
#include <mutex>

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
        ticket(admission* owner, std::uint64_t retry_after_s) noexcept : owner_(owner), retry_after_s_(retry_after_s) {}
        ticket(const ticket&) = delete;
        ticket& operator=(const ticket&) = delete;
        ~ticket() {
            if (owner_ != nullptr) { owner_->leave(); }
        }
        [[nodiscard]] bool is_admitted() const noexcept { return owner_ != nullptr; }
        [[nodiscard]] std::uint64_t retry_after_s() const noexcept { return retry_after_s_; }

    private:
        admission* owner_;
        std::uint64_t retry_after_s_;
    };

    [[nodiscard]] ticket try_enter() {
        const std::lock_guard lock(mutex_);
        const std::uint64_t now = clock_();
        tokens_ = std::min(burst_, tokens_ + static_cast<double>(now - refilled_ns_) / static_cast<double>(refill_ns_));
        refilled_ns_ = now;
        if (is_busy_) { return {nullptr, 1}; }
        if (tokens_ < 1.0) {
            const double wait_ns = (1.0 - tokens_) * static_cast<double>(refill_ns_);
            return {nullptr, 1 + static_cast<std::uint64_t>(wait_ns / 1e9)};
        }
        tokens_ -= 1.0;
        is_busy_ = true;
        return {this, 0};
    }

private:
    void leave() noexcept {
        const std::lock_guard lock(mutex_);
        is_busy_ = false;
    }

    const clock_function clock_;
    const double burst_;
    const std::uint64_t refill_ns_;
    std::mutex mutex_;
    double tokens_;              // guarded by mutex_; 0 .. burst_
    std::uint64_t refilled_ns_;  // guarded by mutex_
    bool is_busy_{};             // guarded by mutex_
};

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
