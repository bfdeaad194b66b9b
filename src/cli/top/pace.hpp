// SPDX-License-Identifier: Apache-2.0
#pragma once
// When the service is asked next, and for how much: one question at a time, at most every interval, and never so often that
// answering takes more than a twentieth of its time. A summary, which costs a fraction of a snapshot with records, is enough
// for most looks; records (ages, routes) follow every ten seconds, or less often where they are dear.
//
// In: what questions took, on the caller's clock. Out: a time and a kind. A value, no clock of its own. Threads: one.

#include <algorithm>
#include <cstdint>

namespace memwatch {
inline namespace v1 {
namespace top {

class pace {
public:
    explicit pace(std::uint64_t interval_ns) noexcept : interval_ns_(interval_ns) {}

    [[nodiscard]] std::uint64_t next_ns() const noexcept { return next_ns_; }
    [[nodiscard]] bool wants_records(std::uint64_t now_ns) const noexcept { return now_ns >= records_next_ns_; }

    // It answered, at `now_ns`, to a question asked `took_ns` before.
    void answered(std::uint64_t now_ns, std::uint64_t took_ns, bool had_records) noexcept {
        const std::uint64_t rest_ns = took_ns * (share - 1);
        const std::uint64_t begin_ns = now_ns - std::min(took_ns, now_ns);
        next_ns_ = std::max(begin_ns + interval_ns_, now_ns + rest_ns);
        if (had_records) { records_next_ns_ = now_ns + std::max(records_apart_ns, rest_ns * 2); }
    }

    // It did not, or said when to come back ("429, Retry-After"); 0 = it did not say.
    void failed(std::uint64_t now_ns, std::uint64_t retry_after_ns = 0) noexcept {
        next_ns_ = now_ns + std::max(interval_ns_, std::min(retry_after_ns, longest_wait_ns));
    }

private:
    static constexpr std::uint64_t share = 20;
    static constexpr std::uint64_t records_apart_ns = 10'000'000'000;
    static constexpr std::uint64_t longest_wait_ns = 300'000'000'000;  // no server's word keeps the view waiting for longer

    std::uint64_t interval_ns_;
    std::uint64_t next_ns_{};
    std::uint64_t records_next_ns_{};
};

}  // namespace top
}  // namespace v1
}  // namespace memwatch
