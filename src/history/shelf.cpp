// SPDX-License-Identifier: Apache-2.0
#include "history/shelf.hpp"

namespace memwatch {
inline namespace v1 {
namespace history {

result<void> memory_shelf::put(const std::string& name, std::string_view dump) {
    auto made = std::make_shared<const std::string>(dump);
    const std::lock_guard guard(mutex_);
    auto& place = dumps_[name];
    bytes_ += made->size() - (place == nullptr ? 0 : place->size());
    place = std::move(made);
    return {};
}

result<std::string> memory_shelf::get(const std::string& name) const {
    std::shared_ptr<const std::string> found;
    {
        const std::lock_guard guard(mutex_);
        const auto at = dumps_.find(name);
        if (at == dumps_.end()) { return fail(error_code::not_found, "is no longer kept", name); }
        found = at->second;
    }
    return *found;
}

void memory_shelf::drop(const std::string& name) noexcept {
    const std::lock_guard guard(mutex_);
    const auto at = dumps_.find(name);
    if (at == dumps_.end()) { return; }
    bytes_ -= at->second->size();
    dumps_.erase(at);
}

std::size_t memory_shelf::bytes_in_memory() const noexcept {
    const std::lock_guard guard(mutex_);
    return bytes_;
}

}  // namespace history
}  // namespace v1
}  // namespace memwatch
