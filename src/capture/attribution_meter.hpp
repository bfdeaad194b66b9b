// SPDX-License-Identifier: Apache-2.0
#pragma once
// How well sampled bytes are attributed: how many name the trace they belong to, and how many proofs there are that an owner
// was mistaken. Missing context is said, never guessed; a mismatch is a bug of the program (or of ours) and stays 0 otherwise.
//
// In: samples, by record_allocation(); frees of sampled blocks. Out: cumulative counters, estimated by the samples' weights.
// Threads: any. Full mode's ledger has no place for them in its hot path: there the share is known of live blocks only.

#include <atomic>
#include <cstdint>

namespace memwatch {
inline namespace v1 {

class attribution_meter {
public:
    struct sums {
        std::uint64_t bytes;
        std::uint64_t objects;
    };

    void add(bool has_trace, double bytes, double objects) noexcept {
        counters& into = has_trace ? with_trace_ : without_trace_;
        // relaxed, both: statistics; nothing is published through them. Rounded: at most half a byte a sample.
        into.bytes.fetch_add(static_cast<std::uint64_t>(bytes + 0.5), std::memory_order_relaxed);
        into.objects.fetch_add(static_cast<std::uint64_t>(objects + 0.5), std::memory_order_relaxed);  // relaxed: as above
    }
    // A sampled block was freed under another tag than it was allocated with.
    void count_mismatch() noexcept { mismatches_.fetch_add(1, std::memory_order_relaxed); }  // relaxed: as above

    [[nodiscard]] sums with_trace() const noexcept { return read(with_trace_); }
    [[nodiscard]] sums without_trace() const noexcept { return read(without_trace_); }
    // relaxed: as above.
    [[nodiscard]] std::uint64_t mismatches() const noexcept { return mismatches_.load(std::memory_order_relaxed); }

private:
    struct counters {
        std::atomic<std::uint64_t> bytes{0};
        std::atomic<std::uint64_t> objects{0};
    };
    static sums read(const counters& from) noexcept {
        // relaxed, both: as in add().
        return {from.bytes.load(std::memory_order_relaxed), from.objects.load(std::memory_order_relaxed)};
    }

    counters with_trace_;
    counters without_trace_;
    std::atomic<std::uint64_t> mismatches_{0};
};

}  // namespace v1
}  // namespace memwatch
