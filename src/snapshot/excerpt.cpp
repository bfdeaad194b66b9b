// SPDX-License-Identifier: Apache-2.0
#include "snapshot/excerpt.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint32_t nowhere = 0xFFFF'FFFF;
constexpr std::size_t most_pools = 64;
constexpr std::size_t most_hand_offs = 8;

// Rows of one table: which are kept, and where they go. Kept rows stay in order.
class selection {
public:
    explicit selection(std::size_t rows) : to_(rows, nowhere) {}
    void keep(std::size_t row) {
        if (row < to_.size()) { to_[row] = 0; }
    }
    [[nodiscard]] bool has(std::size_t row) const { return row < to_.size() && to_[row] != nowhere; }
    [[nodiscard]] std::uint32_t operator[](std::size_t row) const { return to_[row]; }

    // Throws the other rows away.
    template <class Row>
    void apply(std::vector<Row>& rows) {
        std::uint32_t next = 0;
        for (std::size_t row = 0; row < rows.size(); ++row) {
            if (to_[row] == nowhere) { continue; }
            if (row != next) { rows[next] = std::move(rows[row]); }
            to_[row] = next++;
        }
        rows.resize(next);
    }

private:
    std::vector<std::uint32_t> to_;
};

void keep_largest(selection& kept, const snapshot& s, std::size_t most) {
    std::vector<std::uint32_t> order(s.sites.size());
    std::iota(order.begin(), order.end(), 0U);
    most = std::min(most, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(most), order.end(),
                      [&](std::uint32_t a, std::uint32_t b) { return s.sites[a].live.bytes > s.sites[b].live.bytes; });
    for (std::size_t i = 0; i < most; ++i) { kept.keep(order[i]); }
}

void keep_accused(selection& kept, const snapshot& s, std::size_t most) {
    std::vector<const verdict*> accused;
    for (const verdict& each : s.verdicts) {
        if (each.subject == verdict_subject::site && level_of(each.kind) != verdict_level::none) { accused.push_back(&each); }
    }
    std::sort(accused.begin(), accused.end(), [](const verdict* a, const verdict* b) {
        return std::tuple(level_of(a->kind), a->retained_bytes) > std::tuple(level_of(b->kind), b->retained_bytes);
    });
    for (std::size_t i = 0; i < std::min(most, accused.size()); ++i) { kept.keep(accused[i]->index); }
}

template <class Row, class IsKept>
void keep_if(std::vector<Row>& rows, IsKept is_kept) {
    rows.erase(std::remove_if(rows.begin(), rows.end(), [&](const Row& row) { return !is_kept(row); }), rows.end());
}

// What refers to sites and pools, in step with them.
void follow_subjects(snapshot& s, const selection& sites) {
    keep_if(s.survivals, [&](const survival& row) { return sites.has(row.site); });
    for (survival& row : s.survivals) { row.site = sites[row.site]; }
    keep_if(s.examples, [&](const trace_example& row) { return sites.has(row.site); });
    for (trace_example& row : s.examples) { row.site = sites[row.site]; }
    for (live_record& row : s.live) { row.site = sites[row.site]; }
    keep_if(s.verdicts, [&](const verdict& row) {
        return row.subject == verdict_subject::site ? sites.has(row.index) : row.index < s.pools.size();
    });
    for (verdict& row : s.verdicts) {
        if (row.subject == verdict_subject::site) { row.index = sites[row.index]; }
    }
}

void cut_code(snapshot& s) {
    selection stacks(s.stacks.size());
    for (const site& row : s.sites) { stacks.keep(row.stack); }
    stacks.apply(s.stacks);
    for (site& row : s.sites) { row.stack = stacks[row.stack]; }

    selection frames(s.frames.size());
    for (const stack& row : s.stacks) {
        for (const std::uint32_t index : row.frames) { frames.keep(index); }
    }
    for (const pool_totals& row : s.pools) {
        if (row.oldest_frame != 0) { frames.keep(row.oldest_frame - 1); }
    }
    frames.apply(s.frames);
    for (stack& row : s.stacks) {
        for (std::uint32_t& index : row.frames) { index = frames[index]; }
    }
    for (pool_totals& row : s.pools) {
        if (row.oldest_frame != 0) { row.oldest_frame = frames[row.oldest_frame - 1] + 1; }
    }

    selection modules(s.modules.size());
    modules.keep(0);  // the program itself
    for (const frame& row : s.frames) { modules.keep(row.module); }
    modules.apply(s.modules);
    for (frame& row : s.frames) {
        if (row.module != no_module) { row.module = modules[row.module]; }
    }
}

void cut_routes_and_threads(snapshot& s) {
    selection routes(s.routes.size());
    selection threads(s.threads.size());
    routes.keep(0);   // "no route"
    threads.keep(0);  // "other"
    for (const live_record& row : s.live) {
        routes.keep(row.route);
        threads.keep(row.thread);
    }
    for (const pool_totals& row : s.pools) { routes.keep(row.oldest_route); }
    routes.apply(s.routes);
    threads.apply(s.threads);
    for (live_record& row : s.live) {
        row.route = routes[row.route];
        row.thread = threads[row.thread];
    }
    for (pool_totals& row : s.pools) {
        if (row.oldest_route != 0) { row.oldest_route = routes[row.oldest_route]; }
    }
}

}  // namespace

snapshot excerpt_of(snapshot s, std::size_t most_sites) {
    selection sites(s.sites.size());
    keep_largest(sites, s, most_sites);
    keep_accused(sites, s, most_sites);
    for (const live_record& row : s.live) { sites.keep(row.site); }
    sites.apply(s.sites);
    s.pools.resize(std::min(s.pools.size(), most_pools));
    s.hand_offs.resize(std::min(s.hand_offs.size(), most_hand_offs));
    follow_subjects(s, sites);
    cut_code(s);
    cut_routes_and_threads(s);
    return s;
}

}  // namespace v1
}  // namespace memwatch
