// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include <memwatch/session.hpp>
#include "runtime/freeze_process.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

std::vector<std::uint32_t> largest_sites(const snapshot& s, std::size_t count) {
    std::vector<std::uint32_t> order(s.sites.size());
    std::iota(order.begin(), order.end(), 0U);
    count = std::min(count, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                      [&](std::uint32_t a, std::uint32_t b) { return s.sites[a].live.bytes > s.sites[b].live.bytes; });
    order.resize(count);
    return order;
}

// Leaks and suspects, those that keep most; whatever their size: they are what somebody will ask about.
std::vector<std::uint32_t> accused_sites(const snapshot& s, std::size_t count) {
    std::vector<const verdict*> accused;
    for (const verdict& each : s.verdicts) {
        const bool is_site = each.subject == verdict_subject::site && each.index < s.sites.size();
        if (is_site && level_of(each.kind) != verdict_level::none) { accused.push_back(&each); }
    }
    std::sort(accused.begin(), accused.end(), [](const verdict* a, const verdict* b) {
        return std::tuple(level_of(a->kind), a->retained_bytes) > std::tuple(level_of(b->kind), b->retained_bytes);
    });
    accused.resize(std::min(count, accused.size()));
    std::vector<std::uint32_t> sites;
    for (const verdict* const each : accused) { sites.push_back(each->index); }
    return sites;
}

// Frames without a name, by module, of the stacks of `sites` and of the pools' oldest checkouts.
std::map<std::uint32_t, std::vector<std::uint32_t>> unnamed_frames(const snapshot& s, const std::vector<std::uint32_t>& sites) {
    std::map<std::uint32_t, std::vector<std::uint32_t>> by_module;
    const auto add = [&](std::uint32_t index) {
        const frame& f = s.frames[index];
        if (f.module != no_module && f.lines.empty()) { by_module[f.module].push_back(index); }
    };
    for (const std::uint32_t site : sites) {
        for (const std::uint32_t index : s.stacks[s.sites[site].stack].frames) { add(index); }
    }
    for (const pool_totals& pool : s.pools) {
        if (pool.oldest_frame != 0) { add(pool.oldest_frame - 1); }
    }
    return by_module;
}

}  // namespace

void name_functions_of(snapshot& s, const std::vector<std::uint32_t>& sites) noexcept {
    try {
        for (auto& [module_index, frames] : unnamed_frames(s, sites)) {
            const module& m = s.modules[module_index];
            std::vector<std::uint64_t> offsets;
            for (const std::uint32_t index : frames) { offsets.push_back(s.frames[index].offset); }
            std::vector<std::string> names = process().symbols.functions_at(m.path, m.build_id, offsets);
            for (std::size_t i = 0; i < frames.size(); ++i) {
                frame& f = s.frames[frames[i]];
                if (f.lines.empty() && !names[i].empty()) { f.lines.push_back({std::move(names[i]), {}, 0}); }
            }
        }
    } catch (...) {
        // Names are a courtesy; a snapshot without them is whole.
    }
}

void session::name_functions(memwatch::snapshot& s, std::size_t max_sites) const {
    try {
        std::vector<std::uint32_t> sites = largest_sites(s, max_sites);
        const std::vector<std::uint32_t> accused = accused_sites(s, max_sites);
        sites.insert(sites.end(), accused.begin(), accused.end());
        std::sort(sites.begin(), sites.end());
        sites.erase(std::unique(sites.begin(), sites.end()), sites.end());
        name_functions_of(s, sites);
    } catch (...) {}  // as above
}

}  // namespace v1
}  // namespace memwatch
