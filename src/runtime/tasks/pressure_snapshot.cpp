// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/pressure_snapshot.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <memwatch/base/log.hpp>
#include <memwatch/snapshot/codec.hpp>
#include "footprint/timeline.hpp"
#include "platform/platform.hpp"
#include "runtime/freeze_process.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t rest_ns = 600 * second_ns;  // of a level
constexpr std::size_t most_reserve_bytes = 4U << 20U;
constexpr std::size_t reserve_share = 8;  // of the budget
constexpr std::size_t record_bytes = 256;
constexpr std::size_t page_bytes = 4096;
constexpr std::string_view prefix = "pressure-";
constexpr std::string_view suffix = ".memtrace";

bool is_of_ours(const std::string& name) {
    return name.size() > prefix.size() + suffix.size() && std::string_view(name).substr(0, prefix.size()) == prefix &&
           std::string_view(name).substr(name.size() - suffix.size()) == suffix;
}

}  // namespace

void pressure_snapshot::begin(const options& chosen) {
    path_ = chosen.state_dir;
    reserve_bytes_ = path_.empty() ? 0 : std::min<std::size_t>(chosen.budget_bytes / reserve_share, most_reserve_bytes);
    std::fill(std::begin(last_ns_), std::end(last_ns_), 0);
}

// Not under the lock: a folder may be slow, and whoever forks would wait for it.
void pressure_snapshot::open_folder() noexcept {
    {
        const std::lock_guard guard(mutex_);
        if (std::exchange(was_opened_, true)) { return; }
    }
    try {
        result<state_folder> opened = state_folder::open(path_);
        const std::lock_guard guard(mutex_);
        if (opened) { folder_ = std::move(*opened); }
    } catch (...) {}  // no memory
}

void pressure_snapshot::prepare() noexcept {
    open_folder();
    const std::lock_guard guard(mutex_);
    if (is_reserve_held_ || !folder_.is_open()) { return; }
    if (reserve_ == nullptr) { reserve_ = platform::reserve_memory(most_reserve_bytes); }
    if (reserve_ == nullptr) { return; }
    for (std::size_t at = 0; at < reserve_bytes_; at += page_bytes) { static_cast<volatile char*>(reserve_)[at] = 1; }
    is_reserve_held_ = true;
}

void pressure_snapshot::give_reserve_back() noexcept {
    const std::lock_guard guard(mutex_);
    if (std::exchange(is_reserve_held_, false)) { platform::zero_pages(reserve_, most_reserve_bytes); }
}

void pressure_snapshot::turn(process_state& state, pressure_level before, pressure_level now, std::uint64_t now_ns) noexcept {
    if (now == pressure_level::none && !path_.empty()) { prepare(); }
    if (now <= before) { return; }
    std::uint64_t& last_ns = last_ns_[static_cast<std::size_t>(now)];
    if (last_ns != 0 && now_ns - last_ns < rest_ns) { return; }
    last_ns = now_ns;
    try {
        const result<std::string> file = path_.empty() ? std::string() : take(state, now);
        {
            const std::lock_guard guard(mutex_);
            taken_ += file && !file->empty();
            failed_ += !file;
        }
        tell(state, now, file);
    } catch (...) {  // no memory, in spite of all
        const std::lock_guard guard(mutex_);
        ++failed_;
    }
}

result<std::string> pressure_snapshot::take(process_state& state, pressure_level level) {
    if (!folder_.is_open()) { return fail(error_code::io, "the folder cannot be used", path_); }
    give_reserve_back();
    // acquire: pairs with the release in build_live().
    const live_state* const live = state.live.load(std::memory_order_acquire);
    const bool has_room = live != nullptr && live->most_records() * record_bytes <= reserve_bytes_;
    const auto how = has_room ? live_state::detail::records : live_state::detail::summary;
    const result<frozen_process> frozen = freeze_process("pressure-" + std::string(word_of(level)), how);
    if (!frozen) { return tl::unexpected<error>(frozen.error()); }
    const result<std::string> dump = encode(frozen->value, dump_format::memtrace);
    if (!dump) { return tl::unexpected<error>(dump.error()); }
    std::string name(prefix);
    name +=
        std::to_string(platform::unix_ns() / second_ns) + "-" + std::to_string(platform::process_id()) + "-" + word_of(level);
    name += suffix;
    if (result<void> written = folder_.replace(name, *dump); !written) { return tl::unexpected<error>(written.error()); }
    return remove_oldest().map([&] { return name; });
}

result<void> pressure_snapshot::remove_oldest() const {
    result<std::vector<state_folder::entry>> all = folder_.list();
    if (!all) { return tl::unexpected<error>(all.error()); }
    all->erase(std::remove_if(all->begin(), all->end(), [](const auto& each) { return !is_of_ours(each.name); }), all->end());
    const auto is_younger = [](const auto& a, const auto& b) { return a.modified_ns > b.modified_ns; };
    std::sort(all->begin(), all->end(), is_younger);
    for (std::size_t i = kept_files; i < all->size(); ++i) {
        if (result<void> gone = folder_.remove((*all)[i].name); !gone) { return gone; }
    }
    return {};
}

void pressure_snapshot::tell(process_state& state, pressure_level level, const result<std::string>& file) const {
    std::string detail = sentence_of(state.memory.timeline(0));
    if (!file) { detail += "; no snapshot: " + file.error().message(); }
    std::replace(detail.begin(), detail.end(), '"', '\'');
    std::replace(detail.begin(), detail.end(), '\n', ' ');
    const memory_reading now = state.memory.latest();
    write_log(log_level::warning, "memwatch level=warning event=memory_pressure pressure=" + std::string(word_of(level)) +
                                      " unreclaimable_bytes=" + std::to_string(now.cgroup.unreclaimable) +
                                      " limit_bytes=" + std::to_string(now.cgroup.limit) +
                                      (file && !file->empty() ? " snapshot=" + *file : "") + " detail=\"" + detail + "\"");
}

void pressure_snapshot::end() noexcept {
    if (std::exchange(is_reserve_held_, false)) { platform::zero_pages(reserve_, most_reserve_bytes); }
    folder_ = {};
    was_opened_ = false;
}

}  // namespace v1
}  // namespace memwatch
