// SPDX-License-Identifier: Apache-2.0
#pragma once
// What sampling costs: how many samples were taken, and the time between the draw that takes one and the end of its recording
// (page, stack, table), and likewise of sampled frees. Two clock reads of some 25 ns each an event of 1 to 5 us; nothing on the
// unsampled path is measured, and nothing of it is slow.
//
// Wall time, because a thread's CPU clock is a system call: a thread that is preempted while it records would seem to cost
// milliseconds, so one event counts for 100 us at most. Threads: any; one shared line, touched some thousand times a second.

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace memwatch {
inline namespace v1 {

class self_meter {
public:
    static constexpr std::uint64_t most_of_an_event_ns = 100'000;

    // relaxed, all: figures.
    void add_sample(std::uint64_t began_ns, std::uint64_t ended_ns) noexcept {
        samples_.fetch_add(1, std::memory_order_relaxed);
        add_work(began_ns, ended_ns);
    }
    void add_work(std::uint64_t began_ns, std::uint64_t ended_ns) noexcept {
        const std::uint64_t spent = ended_ns > began_ns ? ended_ns - began_ns : 0;
        spent_ns_.fetch_add(std::min(spent, most_of_an_event_ns), std::memory_order_relaxed);
    }
    // Of memwatch's own thread, which takes as long as it takes.
    void add_background(std::uint64_t began_ns, std::uint64_t ended_ns) noexcept {
        const std::uint64_t spent = ended_ns > began_ns ? ended_ns - began_ns : 0;
        spent_ns_.fetch_add(spent, std::memory_order_relaxed);
        background_ns_.fetch_add(spent, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t samples() const noexcept { return samples_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t spent_ns() const noexcept { return spent_ns_.load(std::memory_order_relaxed); }
    // Of that, on the program's own threads.
    [[nodiscard]] std::uint64_t foreground_ns() const noexcept {
        const std::uint64_t background = background_ns_.load(std::memory_order_relaxed);
        const std::uint64_t all = spent_ns();
        return all > background ? all - background : 0;
    }

private:
    alignas(64) std::atomic<std::uint64_t> samples_{0};
    std::atomic<std::uint64_t> spent_ns_{0};
    std::atomic<std::uint64_t> background_ns_{0};
};

}  // namespace v1
}  // namespace memwatch
