// SPDX-License-Identifier: Apache-2.0
#include "serve/kept_snapshots.hpp"

#include <algorithm>

namespace memwatch {
inline namespace v1 {
namespace serve {

bool is_label(std::string_view text) noexcept {
    const auto is_allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), is_allowed);
}

void kept_snapshots::forget_locked(std::string_view label) {
    const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const entry& e) { return e.label == label; });
    if (it == entries_.end()) { return; }
    bytes_ -= it->dump->size();
    entries_.erase(it);
}

result<void> kept_snapshots::keep(std::string_view label, std::string dump, std::uint64_t taken_ns, std::uint64_t now_ns) {
    const std::lock_guard lock(mutex_);
    if (dump.size() > max_bytes_) {
        return fail(error_code::limit, "the snapshot has " + std::to_string(dump.size()) + " bytes, more than the " +
                                           std::to_string(max_bytes_) + " that kept snapshots may take together; download it");
    }
    forget_locked(label);
    while (!entries_.empty() && (entries_.size() >= max_count_ || bytes_ + dump.size() > max_bytes_)) {
        forget_locked(std::string(entries_.front().label));
    }
    bytes_ += dump.size();
    entries_.push_back({std::string(label), std::make_shared<const std::string>(std::move(dump)), taken_ns, now_ns});
    return {};
}

std::shared_ptr<const std::string> kept_snapshots::find(std::string_view label) const {
    const std::lock_guard lock(mutex_);
    const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const entry& e) { return e.label == label; });
    return it == entries_.end() ? nullptr : it->dump;
}

std::vector<kept_snapshots::description> kept_snapshots::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<description> out;
    for (const entry& e : entries_) { out.push_back({e.label, e.dump->size(), e.taken_ns, e.kept_ns}); }
    return out;
}

std::uint64_t kept_snapshots::bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
