// SPDX-License-Identifier: Apache-2.0
#include "footprint/memory_reader.hpp"

#include <algorithm>

#include "platform/kernel_file.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {

void memory_reader::look_for_groups(const kernel_roots& roots) {
    std::vector<group> found;
    for (const platform::memory_group& each : platform::memory_groups(roots.cgroup, roots.process + "/cgroup")) {
        if (found.size() == most_groups) { break; }
        const std::string at = each.folder + "/memory.";
        found.push_back(each.is_v2 ? group{at + "current", at + "max", at + "stat", at + "events", {}, true}
                                   : group{at + "usage_in_bytes", at + "limit_in_bytes", at + "stat", at + "oom_control",
                                           at + "failcnt", false});
    }
    status_ = roots.process + "/status";
    limits_ = roots.process + "/limits";
    groups_ = std::move(found);
    tightest_ = std::min(tightest_, groups_.empty() ? 0 : groups_.size() - 1);
}

std::string_view memory_reader::text_of(const std::string& file) noexcept {
    return {text_, platform::read_kernel_file(file.c_str(), text_, sizeof text_)};
}

std::uint64_t memory_reader::number_in(const std::string& file, std::uint64_t otherwise) noexcept {
    return parse_bytes(text_of(file), otherwise);
}

memory_reader::group_reading memory_reader::read_group(const group& from) noexcept {
    group_stat stat;
    parse_group_stat(text_of(from.stat), stat);
    group_reading out;
    out.current = number_in(from.current);
    out.limit = number_in(from.limit);
    // Read at two moments, so the cache may seem to be larger than the whole.
    out.unreclaimable = out.current - std::min(out.current, stat.file_cache + stat.slab_reclaimable);
    return out;
}

void memory_reader::read_events(const group& from, pressure_events& into) noexcept {
    parse_events(text_of(from.events), into);
    if (!from.is_v2) { into.max = number_in(from.failures); }
}

void memory_reader::read(memory_reading& into) noexcept {
    into.process = {};
    into.cgroup = {};
    parse_status(text_of(status_), into.process);
    into.process.address_space_limit = parse_address_space_limit(text_of(limits_));
    group_reading best;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        if (i != 0 && number_in(groups_[i].limit) == 0) { continue; }  // a large group's memory.stat is not cheap
        const group_reading here = read_group(groups_[i]);
        const bool is_tighter = here.limit != 0 && (best.limit == 0 || here.left() < best.left());
        if (i != 0 && !is_tighter) { continue; }
        best = here;
        tightest_ = i;
    }
    into.cgroup.current = best.current;
    into.cgroup.unreclaimable = best.unreclaimable;
    into.cgroup.limit = best.limit;
    if (!groups_.empty()) { read_events(groups_.front(), into.cgroup.events); }
}

const char* memory_reader::own_events_file() const noexcept {
    return groups_.empty() || !groups_.front().is_v2 ? "" : groups_.front().events.c_str();
}

const char* memory_reader::tightest_events_file() const noexcept {
    const bool is_another = tightest_ != 0 && tightest_ < groups_.size() && groups_[tightest_].is_v2;
    return is_another ? groups_[tightest_].events.c_str() : "";
}

}  // namespace v1
}  // namespace memwatch
