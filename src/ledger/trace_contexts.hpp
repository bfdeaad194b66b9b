// SPDX-License-Identifier: Apache-2.0
#pragma once
// Trace contexts of full mode: {trace id, route} by a 16-bit number, because a record of 20 bytes has no room for 18. A lane
// asks for a number when its thread turns to another request, so equal contexts may have several.
//
// Numbers are given back by a sweep (control lane): what no lane remembers and no record names is free again. Full: a record
// goes without its trace, and that is counted.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <memwatch/model/trace_id.hpp>
#include "base/spin_lock.hpp"

namespace memwatch {
inline namespace v1 {

// What a record is labelled with.
struct trace_label {
    trace_id trace;
    std::uint16_t route{};
    friend bool operator==(const trace_label& a, const trace_label& b) noexcept {
        return a.trace == b.trace && a.route == b.route;
    }
};

class trace_contexts {
public:
    static constexpr std::uint32_t capacity = 1U << 16U;  // number 0 is "no trace, no route"
    static constexpr std::uint32_t crowded = capacity / 4 * 3;

    [[nodiscard]] static constexpr std::size_t memory_bytes() noexcept {
        return capacity * (sizeof(trace_label) + sizeof(std::uint16_t));
    }

    // `memory`: memory_bytes() zeroed bytes.
    void open(void* memory) noexcept;
    void clear() noexcept;

    // A number for `label`; 0 when there is none left. [hook]
    [[nodiscard]] std::uint16_t add(const trace_label& label) noexcept;
    // What `number` stands for. Only while no sweep runs.
    [[nodiscard]] const trace_label& at(std::uint16_t number) const noexcept { return labels_[number]; }

    // relaxed: a hint.
    [[nodiscard]] bool is_crowded() const noexcept { return used_.load(std::memory_order_relaxed) > crowded; }
    [[nodiscard]] std::uint32_t used() const noexcept { return used_.load(std::memory_order_relaxed); }  // relaxed: as above
    [[nodiscard]] std::size_t used_bytes() const noexcept { return carved_ * sizeof(trace_label); }

    // A sweep: begin(), mark() whatever is in use among the numbers that existed then, end(). Control lane, one at a time.
    class sweep {
    public:
        void begin(trace_contexts& contexts) noexcept;
        void mark(std::uint16_t number) noexcept { marks_[number / 64] |= 1ULL << number % 64; }
        // Gives back what existed at begin() and was not marked; how many.
        std::uint32_t end(trace_contexts& contexts) noexcept;

    private:
        std::uint64_t marks_[capacity / 64];  // set: in use, free, or younger than the sweep
    };

    [[nodiscard]] spin_lock& lock() noexcept { return lock_; }  // for fork()

private:
    trace_label* labels_{nullptr};
    std::uint16_t* free_{nullptr};  // a stack. Guarded by lock_
    std::uint32_t free_count_{0};   // guarded by lock_
    std::uint32_t carved_{1};       // numbers ever given out, 0 included. Guarded by lock_
    std::atomic<std::uint32_t> used_{0};
    spin_lock lock_{lock_rank::ledger_pool};
};

}  // namespace v1
}  // namespace memwatch
