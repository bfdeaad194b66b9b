// SPDX-License-Identifier: Apache-2.0
#include "report/context_share.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace memwatch {
inline namespace v1 {
namespace {

using of = context_share::of;

double activity_of(const snapshot& s, std::string_view name) {
    const auto at = std::find_if(s.activity.begin(), s.activity.end(), [&](const named_value& v) { return v.name == name; });
    return at == s.activity.end() ? 0 : static_cast<double>(at->value);
}

context_share from_activity(const snapshot& s, of what, const std::string& prefix) {
    context_share share;
    share.untraced_bytes = activity_of(s, prefix + "untraced_bytes");
    share.untraced_objects = activity_of(s, prefix + "untraced_objects");
    share.bytes = share.untraced_bytes + activity_of(s, prefix + "traced_bytes");
    share.objects = share.untraced_objects + activity_of(s, prefix + "traced_objects");
    if (share.objects > 0) { share.what = what; }
    return share;
}

context_share from_records(const snapshot& s) {
    sampled_totals all;
    sampled_totals untraced;
    for (const live_record& r : s.live) {
        all.add(r.size_bytes, r.interval_bytes);
        if (!r.trace.is_valid()) { untraced.add(r.size_bytes, r.interval_bytes); }
    }
    return {of::live_blocks, all.bytes, untraced.bytes, all.objects, untraced.objects};
}

// Never 0 % of something, nor 100 % of less than all.
std::string percent(double part, double whole) {
    const double share = whole > 0 ? 100 * part / whole : 0;
    if (share > 0 && share < 0.05) { return "< 0.1 %"; }
    if (share < 100 && share >= 99.95) { return "> 99.9 %"; }
    return fmt::format("{:.{}f} %", share, share == 0 || share == 100 ? 0 : 1);
}

std::uint64_t rounded(double value) { return static_cast<std::uint64_t>(std::max(0.0, value) + 0.5); }

}  // namespace

context_share measure_context(const snapshot& s) {
    // What was kept comes first: it is there when records were left out, and then those that are left are not all.
    const context_share kept = from_activity(s, of::live_blocks, "live_");
    if (kept.what != of::nothing) { return kept; }
    return s.live.empty() ? from_activity(s, of::sampled_since_start, "") : from_records(s);
}

std::string to_words(const context_share& share) {
    if (share.what == of::nothing) { return {}; }
    const bool is_live = share.what == of::live_blocks;
    if (share.untraced_objects == share.objects) { return is_live ? "no live block names a trace" : "no sample names a trace"; }
    return fmt::format("{} of {} bytes and {} of objects name no trace", percent(share.untraced_bytes, share.bytes),
                       is_live ? "live" : "all sampled", percent(share.untraced_objects, share.objects));
}

std::string untraced_words(const delta_side& side) {
    if (side.untraced_bytes < 0 || side.live.bytes <= 0) { return {}; }
    return percent(side.untraced_bytes, side.live.bytes) + " of its bytes name no trace";
}

void write_json(json_writer& json, const context_share& share) {
    if (share.what == of::nothing) { return json.null(); }
    json.begin_object();
    json.key("of").value(share.what == of::live_blocks ? "live" : "sampled");
    json.key("bytes").value(share.bytes);
    json.key("bytes_without_trace").value(share.untraced_bytes);
    json.key("objects").value(share.objects);
    json.key("objects_without_trace").value(share.untraced_objects);
    json.end_object();
}

void keep_context_share(snapshot& s) {
    if (s.live.empty()) { return; }
    const context_share share = from_records(s);
    s.activity.push_back({"live_traced_bytes", rounded(share.bytes - share.untraced_bytes)});
    s.activity.push_back({"live_traced_objects", rounded(share.objects - share.untraced_objects)});
    s.activity.push_back({"live_untraced_bytes", rounded(share.untraced_bytes)});
    s.activity.push_back({"live_untraced_objects", rounded(share.untraced_objects)});
}

}  // namespace v1
}  // namespace memwatch
