// SPDX-License-Identifier: Apache-2.0
#include "ledger/trace_contexts.hpp"

#include <cstring>
#include <mutex>

namespace memwatch {
inline namespace v1 {

void trace_contexts::open(void* memory) noexcept {
    labels_ = static_cast<trace_label*>(memory);
    free_ = reinterpret_cast<std::uint16_t*>(labels_ + capacity);
}

void trace_contexts::clear() noexcept {
    const std::lock_guard guard(lock_);
    free_count_ = 0;
    carved_ = 1;
    used_.store(0, std::memory_order_relaxed);  // relaxed: a hint
}

std::uint16_t trace_contexts::add(const trace_label& label) noexcept {
    // relaxed: a hint; spares the lock while the table is full.
    if (used_.load(std::memory_order_relaxed) >= capacity - 1) { return 0; }
    const std::lock_guard guard(lock_);
    std::uint32_t number = 0;
    if (free_count_ > 0) {
        number = free_[--free_count_];
    } else if (carved_ < capacity) {
        number = carved_++;
    } else {
        return 0;
    }
    labels_[number] = label;
    used_.fetch_add(1, std::memory_order_relaxed);  // relaxed: a hint
    return static_cast<std::uint16_t>(number);
}

void trace_contexts::sweep::begin(trace_contexts& contexts) noexcept {
    std::memset(marks_, 0xFF, sizeof marks_);
    const std::lock_guard guard(contexts.lock_);
    for (std::uint32_t i = 1; i < contexts.carved_; ++i) { marks_[i / 64] &= ~(1ULL << i % 64); }
    for (std::uint32_t i = 0; i < contexts.free_count_; ++i) { mark(contexts.free_[i]); }
}

std::uint32_t trace_contexts::sweep::end(trace_contexts& contexts) noexcept {
    const std::lock_guard guard(contexts.lock_);
    std::uint32_t given_back = 0;
    for (std::uint32_t i = 1; i < contexts.carved_; ++i) {
        if ((marks_[i / 64] >> i % 64 & 1U) != 0) { continue; }
        contexts.free_[contexts.free_count_++] = static_cast<std::uint16_t>(i);
        ++given_back;
    }
    contexts.used_.fetch_sub(given_back, std::memory_order_relaxed);  // relaxed: a hint
    return given_back;
}

}  // namespace v1
}  // namespace memwatch
