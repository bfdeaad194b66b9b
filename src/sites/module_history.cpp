// SPDX-License-Identifier: Apache-2.0
#include "sites/module_history.hpp"

#include <algorithm>

#include "platform/otel_context.hpp"

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
    changes_ = platform::module_changes();  // before: what comes meanwhile is for the next look
    modules now = platform::loaded_modules();
    for (const platform::loaded_module& before : loaded_) {
        if (!is_overlapped(before, now)) { gone_.push_back(before); }
    }
    gone_.erase(std::remove_if(gone_.begin(), gone_.end(), [&](const auto& m) { return is_overlapped(m, now); }), gone_.end());
    if (gone_.size() > most_gone) { gone_.erase(gone_.begin(), gone_.end() - most_gone); }
    loaded_ = now;
    now.insert(now.end(), gone_.begin(), gone_.end());
    return now;
}

bool module_history::is_behind() {
    const std::lock_guard guard(mutex_);
    return platform::module_changes() != changes_;
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
