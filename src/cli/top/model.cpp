// SPDX-License-Identifier: Apache-2.0
#include "cli/top/model.hpp"

#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {
namespace {

row total_row(const snapshot& s, const totals& sums) {
    row total;
    total.live_bytes = sums.live_bytes;
    total.live_variance = sums.live_variance;
    double churn = 0;
    for (const site& each : s.sites) { churn += each.allocated.bytes_variance + each.freed.bytes_variance; }
    total.churn_variance = churn;
    return total;
}

}  // namespace

void model::take(const snapshot& s) {
    if (has_answered() && s.info.session != info_.session) {
        boards_ = {};
        total_ = {};
        ++restarts_;
    }
    const bool is_first = total_.is_empty();
    info_ = s.info;
    sums_ = add_up(s);
    trouble_.clear();
    ++answers_;
    total_.take({{}, true, {total_row(s, sums_)}}, s.info.taken_ns);
    for (std::size_t i = 0; i < dimension_count; ++i) {
        const auto by = static_cast<dimension>(i);
        if (!is_first && !is_marking_ && by != by_) { continue; }
        if (auto figures = read_figures(s, by)) { boards_[i].take(std::move(*figures), s.info.taken_ns); }
        if (is_marking_) { boards_[i].mark(); }
    }
    if (is_marking_) { total_.mark(); }
    is_marking_ = false;
}

void model::fail(const error& why) { trouble_ = printable(why.message()); }

growth model::total_growth() const { return total_.is_empty() ? growth{} : total_.growth_of(total_.rows().front()); }

}  // namespace top
}  // namespace v1
}  // namespace memwatch
