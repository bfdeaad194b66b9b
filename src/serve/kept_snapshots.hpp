// SPDX-License-Identifier: Apache-2.0
#pragma once
// Snapshots that someone asked to keep, by label, so that a later diff has something to compare with. Kept as encoded dumps,
// because that is a tenth of the value's size and can be counted to the byte.
//
// Bounded by count and by bytes; the oldest goes first. Keeping under a label that exists replaces it. Threads: any.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

class kept_snapshots {
public:
    static constexpr std::size_t default_max_count = 16;
    static constexpr std::uint64_t default_max_bytes = 32ULL << 20;

    explicit kept_snapshots(std::size_t max_count = default_max_count, std::uint64_t max_bytes = default_max_bytes)
        : max_count_(max_count), max_bytes_(max_bytes) {}

    // What is known of one without reading it.
    struct description {
        std::string label;
        std::size_t bytes{};
        std::uint64_t taken_ns{};  // as in its snapshot_info
        std::uint64_t kept_ns{};   // by the clock of whoever keeps
    };

    // Errors: limit, when the dump alone is above the byte bound (everything kept before stays).
    [[nodiscard]] result<void> keep(std::string_view label, std::string dump, std::uint64_t taken_ns, std::uint64_t now_ns);

    // Null when there is none. The dump stays valid after it was pushed out.
    [[nodiscard]] std::shared_ptr<const std::string> find(std::string_view label) const;

    [[nodiscard]] std::vector<description> list() const;  // oldest first
    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] std::size_t max_count() const noexcept { return max_count_; }
    [[nodiscard]] std::uint64_t max_bytes() const noexcept { return max_bytes_; }

private:
    struct entry {
        std::string label;
        std::shared_ptr<const std::string> dump;
        std::uint64_t taken_ns;
        std::uint64_t kept_ns;
    };

    void forget_locked(std::string_view label);

    const std::size_t max_count_;
    const std::uint64_t max_bytes_;
    mutable std::mutex mutex_;
    std::deque<entry> entries_;  // guarded by mutex_; oldest first
    std::uint64_t bytes_{};      // guarded by mutex_; sum of the dumps in entries_
};

// 1 to 64 characters of A-Z a-z 0-9 . _ -; a label is an identity in URLs and logs, and never a file name.
[[nodiscard]] bool is_label(std::string_view text) noexcept;

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
