// SPDX-License-Identifier: Apache-2.0
#include "sites/thread_table.hpp"

#include <cstring>
#include <mutex>

namespace memwatch {
inline namespace v1 {

std::uint16_t thread_table::add(std::uint32_t tid, const char* name) noexcept {
    const std::lock_guard guard(lock_);
    std::size_t index = 1;
    // relaxed: a thread that ended and holds no block cannot gain one.
    const auto is_free = [](const entry& e) { return !e.is_alive && e.live_records.load(std::memory_order_relaxed) == 0; };
    while (index < used_ && !is_free(entries_[index])) { ++index; }
    if (index == capacity) {
        losses_.count(drop_reason::thread_table_full);
        return 0;
    }
    if (index == used_) { ++used_; }
    entry& fresh = entries_[index];
    // relaxed: read under the lock, or by a thread that got the index from this one.
    fresh.tid.store(tid, std::memory_order_relaxed);
    fresh.is_alive = true;
    std::memcpy(fresh.name, name, name_size);
    return static_cast<std::uint16_t>(index);
}

void thread_table::retire(std::uint16_t index, const char* name) noexcept {
    const std::lock_guard guard(lock_);
    entries_[index].is_alive = false;
    std::memcpy(entries_[index].name, name, name_size);
}

void thread_table::name_of(std::uint32_t tid, char* name) noexcept {
    name[0] = '\0';
    const std::lock_guard guard(lock_);
    for (std::size_t i = 1; i < used_; ++i) {
        if (this->tid(static_cast<std::uint16_t>(i)) == tid) { std::memcpy(name, entries_[i].name, name_size); }
        if (name[0] != '\0' && entries_[i].is_alive) { return; }  // an ended thread may have had the same id
    }
}

std::size_t thread_table::self_bytes() noexcept {
    const std::lock_guard guard(lock_);
    return used_ * sizeof(entry);
}

void thread_table::keep_only(std::uint16_t survivor, std::uint32_t tid) noexcept {
    for (std::size_t i = 1; i < used_; ++i) { entries_[i].is_alive = i == survivor; }
    // relaxed: the child has one thread.
    if (survivor != 0) { entries_[survivor].tid.store(tid, std::memory_order_relaxed); }
}

}  // namespace v1
}  // namespace memwatch
