// SPDX-License-Identifier: Apache-2.0
#include "cli/top/board.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace memwatch {
inline namespace v1 {
namespace top {
namespace {

constexpr std::uint64_t kept_apart_ns = 10'000'000'000;

// What a summary cannot know, from the look before.
void keep_evidence(const std::vector<row>& before, std::vector<row>& now, std::uint64_t passed_ns) {
    std::unordered_map<std::string_view, const row*> known;
    for (const row& each : before) { known.emplace(each.key, &each); }
    for (row& each : now) {
        const auto found = known.find(each.key);
        if (found == known.end()) { continue; }
        if (each.route.empty()) { each.route = found->second->route; }
        if (!each.oldest_age_ns && found->second->oldest_age_ns && each.objects > 0) {
            each.oldest_age_ns = *found->second->oldest_age_ns + passed_ns;
        }
    }
}

}  // namespace

board::memory board::remember(const std::vector<row>& rows) {
    memory kept;
    kept.reserve(rows.size());
    for (const row& each : rows) { kept.emplace(each.key, past{each.live_bytes, each.live_variance, each.churn_variance}); }
    return kept;
}

void board::take(figures next, std::uint64_t taken_ns) {
    if (looks_ != 0) {
        if (!next.has_records) { keep_evidence(now_.rows, next.rows, taken_ns > now_ns_ ? taken_ns - now_ns_ : 0); }
        last_ = remember(now_.rows);
        last_ns_ = now_ns_;
    }
    now_ = std::move(next);
    now_ns_ = taken_ns;
    if (looks_++ == 0) { mark(); }
    keep_for_rate();
}

void board::mark() {
    mark_ = remember(now_.rows);
    mark_ns_ = now_ns_;
}

void board::keep_for_rate() {
    if (minute_.empty() || now_ns_ - minute_.back().taken_ns >= kept_apart_ns) {
        minute_.push_back({now_ns_, remember(now_.rows)});
    }
    while (minute_.size() > 1 && now_ns_ - minute_[1].taken_ns >= rate_window_ns) { minute_.pop_front(); }
}

growth board::growth_of(const row& of) const {
    const auto find = [&](const memory& in) {
        const auto found = in.find(of.key);
        return found == in.end() ? past{} : found->second;
    };
    growth out;
    const past then = find(mark_);
    out.since_mark = of.live_bytes - then.live;
    double variance = of.live_variance + then.variance;
    if (of.churn_variance) { variance = std::min(variance, std::max(0.0, *of.churn_variance - then.churn.value_or(0))); }
    out.standard_error = std::sqrt(variance);
    if (looks_ > 1) { out.since_last = of.live_bytes - find(last_).live; }
    if (!minute_.empty() && now_ns_ > minute_.front().taken_ns) {
        out.per_second =
            (of.live_bytes - find(minute_.front().rows).live) / (static_cast<double>(now_ns_ - minute_.front().taken_ns) / 1e9);
    }
    return out;
}

}  // namespace top
}  // namespace v1
}  // namespace memwatch
