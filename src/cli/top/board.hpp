// SPDX-License-Identifier: Apache-2.0
#pragma once
// Looks at one dimension, one after the other, and what changed between them: since the mark, since the look before, over the
// last minute. A value: no clock, no screen, no service.
//
//   look     t      live        growth        last         rate
//   mark   0 s    10 MiB         -             -            -
//          2 s    14 MiB     +4 MiB        +4 MiB      +2 MiB/s
//          4 s    15 MiB     +5 MiB        +1 MiB      +1.25 MiB/s       (15 - 10) / 4: up to a minute back, whatever the mark
//
// How sure growth is: blocks that live at both looks cancel, so of the variance of the difference only those count that came or
// went. Two bounds of it are known, var(now) + var(mark) and, for sites, what allocated and freed totals gained since the mark;
// the smaller one is used. A leak that frees nothing has the second, which is then exact (tests/unit/cli/top_test.cpp).
// Threads: one.

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "cli/top/figures.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {

inline constexpr std::uint64_t rate_window_ns = 60'000'000'000;

struct growth {
    double since_mark{};
    double standard_error{};  // of since_mark
    double since_last{};
    double per_second{};  // over the last minute, or as long as there are looks

    // Above two standard errors, or exact; as delta_row::is_significant().
    [[nodiscard]] bool is_sure() const noexcept {
        return standard_error == 0 || since_mark * since_mark > 4 * standard_error * standard_error;
    }
};

class board {
public:
    // The next look, at `taken_ns` of the service's clock. The first one is the mark. A look without records keeps ages and
    // routes of the last that had them, older by what has passed.
    void take(figures next, std::uint64_t taken_ns);

    // From the newest look on, growth counts from it.
    void mark();

    [[nodiscard]] bool is_empty() const noexcept { return looks_ == 0; }
    [[nodiscard]] const std::vector<row>& rows() const noexcept { return now_.rows; }
    [[nodiscard]] growth growth_of(const row& of) const;
    [[nodiscard]] std::uint64_t mark_age_ns() const noexcept { return now_ns_ - mark_ns_; }

private:
    struct past {
        double live{}, variance{};
        std::optional<double> churn;
    };
    using memory = std::unordered_map<std::string, past>;
    struct look {
        std::uint64_t taken_ns{};
        memory rows;
    };

    [[nodiscard]] static memory remember(const std::vector<row>& rows);
    void keep_for_rate();

    figures now_;
    std::uint64_t now_ns_{}, mark_ns_{}, last_ns_{}, looks_{};
    memory mark_, last_;
    std::deque<look> minute_;  // oldest first, the last but one of the window's edge; ten seconds apart
};

}  // namespace top
}  // namespace v1
}  // namespace memwatch
