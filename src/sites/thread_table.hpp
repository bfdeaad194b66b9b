// SPDX-License-Identifier: Apache-2.0
#pragma once
// Threads that allocated or freed a sample, as small indices for records. An index is reused when its thread has ended and no
// live block names it any more, so it is never ambiguous among live blocks. Index 0 is "other": threads beyond the table.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/spin_lock.hpp"
#include "model/drop_reason.hpp"

namespace memwatch {
inline namespace v1 {

class thread_table {
public:
    static constexpr std::size_t capacity = 4096;
    static constexpr std::size_t name_size = 16;

    struct entry {
        std::atomic<std::uint32_t> live_records;  // blocks that name this thread
        std::atomic<std::uint32_t> tid;           // 0 = unused. Written under lock_
        bool is_alive;                            // guarded by lock_
        char name[name_size];                     // guarded by lock_
    };

    [[nodiscard]] static constexpr std::size_t memory_bytes() noexcept { return capacity * sizeof(entry); }
    thread_table(void* memory, loss_counters& losses) noexcept : entries_(static_cast<entry*>(memory)), losses_(losses) {}

    [[nodiscard]] std::uint16_t add(std::uint32_t tid, const char* name) noexcept;
    // The thread ends, under the name it has by now (name_size bytes).
    void retire(std::uint16_t index, const char* name) noexcept;
    // relaxed: a count that only add() reads, under the lock and with a thread's end before it.
    void hold(std::uint16_t index) noexcept { entries_[index].live_records.fetch_add(1, std::memory_order_relaxed); }
    void let_go(std::uint16_t index) noexcept {
        entries_[index].live_records.fetch_sub(1, std::memory_order_relaxed);
    }  // relaxed: as above

    // The kernel's id of a thread that is alive or that a live block names. relaxed: such an entry does not change.
    [[nodiscard]] std::uint32_t tid(std::uint16_t index) const noexcept {
        return entries_[index].tid.load(std::memory_order_relaxed);
    }
    // Writes the name of the thread last seen with this id into `name` (name_size bytes); "" when it is not in the table.
    void name_of(std::uint32_t tid, char* name) noexcept;

    // Copies index .. of every thread seen; calls visit(index, tid, name, is_alive) under the lock.
    template <class Visit>
    void for_each(Visit visit) noexcept;

    // In a forked child: all threads but the caller's are gone.
    void keep_only(std::uint16_t survivor, std::uint32_t tid) noexcept;

    [[nodiscard]] spin_lock& lock() noexcept { return lock_; }
    [[nodiscard]] std::size_t self_bytes() noexcept;

private:
    entry* entries_;
    loss_counters& losses_;
    std::size_t used_{1};  // indices ever used, 0 included. Guarded by lock_
    spin_lock lock_{lock_rank::threads};
};

template <class Visit>
void thread_table::for_each(Visit visit) noexcept {
    lock_.lock();
    for (std::size_t i = 0; i < used_; ++i) {
        visit(static_cast<std::uint16_t>(i), tid(static_cast<std::uint16_t>(i)), entries_[i].name, entries_[i].is_alive);
    }
    lock_.unlock();
}

}  // namespace v1
}  // namespace memwatch
