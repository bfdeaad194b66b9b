// SPDX-License-Identifier: Apache-2.0
#include "sites/module_history.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "platform/otel_context.hpp"
#include "platform/own_thread.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

using modules = std::vector<platform::loaded_module>;

bool is_overlapped(const platform::loaded_module& m, const modules& by) {
    return std::any_of(by.begin(), by.end(), [&](const auto& other) { return other.start < m.limit && m.start < other.limit; });
}

}  // namespace

modules module_history::look() {
    const std::lock_guard guard(mutex_);
    const std::uint64_t changes = platform::module_changes();  // before: what comes meanwhile is for the next look
    if (changes != 0) { note(platform::loaded_modules(), changes); }
    modules all = loaded_;
    all.insert(all.end(), gone_.begin(), gone_.end());
    return all;
}

void module_history::note(const modules& now, std::uint64_t changes) {
    for (const platform::loaded_module& before : loaded_) {
        if (!is_overlapped(before, now)) { gone_.push_back(before); }
    }
    gone_.erase(std::remove_if(gone_.begin(), gone_.end(), [&](const auto& m) { return is_overlapped(m, now); }), gone_.end());
    if (gone_.size() > most_gone) { gone_.erase(gone_.begin(), gone_.end() - most_gone); }
    loaded_ = now;  // copied, into the memory it has: freeing may take malloc's lock from a thread that is in its exit handler
    changes_ = changes;
}

bool module_history::is_behind() {
    const std::lock_guard guard(mutex_);
    const std::uint64_t changes = platform::module_changes();
    return changes != 0 && changes != changes_;
}

void module_history::lock_for_fork() noexcept {
    constexpr std::uint64_t piece_ns = 50'000;
    constexpr std::uint64_t longest_wait_ns = 1'000'000'000;
    const std::uint64_t until = platform::monotonic_ns() + longest_wait_ns;
    while (!(is_held_for_fork_ = mutex_.try_lock()) && platform::monotonic_ns() < until) { platform::sleep_ns(piece_ns); }
}

void module_history::unlock_after_fork() noexcept {
    if (std::exchange(is_held_for_fork_, false)) { mutex_.unlock(); }
}

// The old lists stay behind where a lost thread holds them.
void module_history::enter_child() noexcept {
    if (!is_held_for_fork_) { new (this) module_history; }
}

std::uint64_t module_history::self_bytes() {
    const std::lock_guard guard(mutex_);
    std::uint64_t sum = 0;
    for (const modules* list : {&loaded_, &gone_}) {
        sum += list->capacity() * sizeof(platform::loaded_module);
        for (const platform::loaded_module& m : *list) { sum += m.path.capacity() + m.build_id.capacity(); }
    }
    return sum;
}

}  // namespace v1
}  // namespace memwatch
