// SPDX-License-Identifier: Apache-2.0
#include "model/verdict_checks.hpp"

#include <algorithm>

namespace memwatch {
inline namespace v1 {
namespace {

bool are_sound(const std::vector<verdict_feature>& features) noexcept {
    return features.size() <= verdict_feature_count &&
           std::all_of(features.begin(), features.end(), [](const verdict_feature& each) {
               return is_known(each.kind) && is_figure(each.value) && is_figure(each.contribution);
           });
}

}  // namespace

bool is_sound(const verdict& of) noexcept {
    for (const double share :
         {of.confidence, of.kept_share, of.kept_share_low, of.kept_share_high, of.escaped_share, of.other_thread_share}) {
        if (!is_share(share)) { return false; }
    }
    for (const double amount : {of.retained_bytes, of.retained_objects, of.rate_error, of.freed_objects, of.follow_up}) {
        if (!is_amount(amount)) { return false; }
    }
    return is_figure(of.rate_bytes_per_second) && is_figure(of.bytes_per_trace) && is_known(of.kind) && is_known(of.doubt) &&
           is_known(of.severity) && are_sound(of.features);
}

void keep_whole_verdicts(snapshot& s) {
    std::vector<verdict>& rows = s.verdicts;
    const auto is_broken = [&](const verdict& each) { return !has_subject(s, each) || !is_sound(each); };
    rows.erase(std::remove_if(rows.begin(), rows.end(), is_broken), rows.end());
    std::stable_sort(rows.begin(), rows.end(), is_before);
    const auto is_of_the_same = [](const verdict& a, const verdict& b) { return !is_before(a, b); };
    rows.erase(std::unique(rows.begin(), rows.end(), is_of_the_same), rows.end());
}

}  // namespace v1
}  // namespace memwatch
