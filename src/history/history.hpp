// SPDX-License-Identifier: Apache-2.0
#pragma once
// The snapshots a service keeps of itself by itself: one now and then, a day long, within a bound of bytes (thinning.hpp), so
// that "what changed in the last two hours" has an answer that nobody had to prepare.
//
// In: dumps (.memtrace), when each was taken. Out: what there is, and the dump of one by its name or by its age.
// Damaged and foreign dumps are passed over and say so in the first list(); nothing believes them. What was found on the shelf
// is checked once, by who first asks.
// Threads: keep() by one; the others any. No lock is held while a dump is written, read or decoded.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>

#include "history/shelf.hpp"
#include "history/thinning.hpp"

namespace memwatch {
inline namespace v1 {
namespace history {

// What is known of one without reading it.
struct past_snapshot {
    std::string name;  // past_name.hpp
    std::uint64_t taken_unix_ns{};
    std::uint64_t bytes{};
    std::string problem{};  // why it cannot be used; empty = nothing is known against it
    bool is_checked{};      // it is one of ours and whole, or `problem` says why not
};

class snapshot_history {
public:
    // `found` is what the shelf holds already, in any order. `service` is whose snapshots these are: others are foreign.
    snapshot_history(std::unique_ptr<shelf> place, history_bounds within, std::string service,
                     std::vector<past_snapshot> found = {});

    // Makes room first, so the bound holds at each moment. One of the same name is replaced. Errors: io; limit, when the dump
    // alone is above the bound (all others stay).
    [[nodiscard]] result<void> keep(const past_snapshot& one, std::string_view dump, std::uint64_t now_unix_ns);
    // Lets go what has become too old.
    void tidy(std::uint64_t now_unix_ns);

    // Oldest first. Reads those that nobody has looked at yet.
    [[nodiscard]] std::vector<past_snapshot> list() const;

    // Errors: not_found (the answer says what there is instead), unreadable (damaged, or another service's), io.
    [[nodiscard]] result<std::string> read(std::string_view name) const;
    // The youngest that is at least so old.
    [[nodiscard]] result<std::string> read_from(std::uint64_t age_ns, std::uint64_t now_unix_ns) const;

    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] std::size_t count() const;
    [[nodiscard]] const history_bounds& bounds() const noexcept { return within_; }
    [[nodiscard]] std::size_t bytes_in_memory() const noexcept;
    [[nodiscard]] std::string where() const { return place_->where(); }

    void lock_for_fork();
    void unlock_after_fork();
    // Still locked. True: what lies in a folder is the parent's, and this object of no more use.
    bool enter_child() noexcept { return place_->enter_child(); }

private:
    [[nodiscard]] result<void> check(std::string_view dump) const;
    [[nodiscard]] std::vector<past_snapshot> known() const;
    void note(const std::string& name, const result<void>& sound) const;
    [[nodiscard]] result<std::string> read_sound(const std::string& name) const;
    void make_room(std::uint64_t now_unix_ns, const past_snapshot* coming);

    const std::unique_ptr<shelf> place_;
    const history_bounds within_;
    const std::string service_;
    mutable std::mutex mutex_;
    mutable std::vector<past_snapshot> all_;  // guarded by mutex_; oldest first
};

}  // namespace history
}  // namespace v1
}  // namespace memwatch
