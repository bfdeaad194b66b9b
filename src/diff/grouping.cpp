// SPDX-License-Identifier: Apache-2.0
#include "diff/grouping.hpp"

#include <map>

#include "model/trace_index.hpp"

namespace memwatch::inline v1 {
namespace {

// Rows by key, numbered as they appear: BEFORE first, so that AFTER's names win only for keys that are new.
class row_table {
public:
    explicit row_table(grouping& out) : out_(out) {}

    std::uint32_t operator()(const std::string& key, const std::string& name) {
        const auto [found, is_new] = numbers_.try_emplace(key, static_cast<std::uint32_t>(out_.rows));
        if (is_new) {
            ++out_.rows;
            out_.labels.push_back({name, key});
        }
        return found->second;
    }

private:
    grouping& out_;
    std::map<std::string, std::uint32_t> numbers_;
};

// A record's row follows from its site's.
void records_follow_sites(grouping& out, snapshot_pair sides) {
    for (std::size_t side = 0; side < 2; ++side) {
        out.row_of_record[side].reserve(sides[side]->live.size());
        for (const auto& row : sides[side]->live) { out.row_of_record[side].push_back(out.row_of_site[side][row.site]); }
    }
}

void group_by_site(grouping& out, snapshot_pair sides, const site_match& match) {
    out.rows = match.rows.size();
    out.row_of_site = match.row_of;
    records_follow_sites(out, sides);
}

void group_by_type(grouping& out, snapshot_pair sides) {
    row_table rows{out};
    for (std::size_t side = 0; side < 2; ++side) {
        for (const auto& each : sides[side]->sites) {
            out.row_of_site[side].push_back(rows(each.type, each.type.empty() ? "(unknown type)" : each.type));
        }
    }
    records_follow_sites(out, sides);
}

void group_by_tag(grouping& out, snapshot_pair sides) {
    row_table rows{out};
    for (std::size_t side = 0; side < 2; ++side) {
        for (const auto& each : sides[side]->tags) { out.row_of_entry[side].push_back(rows(each.name, each.name)); }
        for (const auto& each : sides[side]->sites) { out.row_of_site[side].push_back(out.row_of_entry[side][each.tag]); }
    }
    records_follow_sites(out, sides);
}

void group_by_pool(grouping& out, snapshot_pair sides) {
    row_table rows{out};
    for (std::size_t side = 0; side < 2; ++side) {
        for (const auto& each : sides[side]->pools) { out.row_of_entry[side].push_back(rows(each.name, each.name)); }
    }
}

void group_by_trace(grouping& out, snapshot_pair sides) {
    const std::span<const live_record> lists[] = {sides[before_side]->live, sides[after_side]->live};
    auto index = index_traces(lists);
    out.rows = index.ids.size();
    out.traces = std::move(index.ids);
    const auto middle = index.of_record.begin() + static_cast<std::ptrdiff_t>(lists[0].size());
    out.row_of_record[before_side].assign(index.of_record.begin(), middle);
    out.row_of_record[after_side].assign(middle, index.of_record.end());
}

// Rows of a small table that records point into.
template <class Table, class RowOf>
void group_by_table(grouping& out, snapshot_pair sides, Table table, std::uint32_t live_record::*index, RowOf row_of) {
    for (std::size_t side = 0; side < 2; ++side) {
        std::vector<std::uint32_t> rows;
        for (const auto& each : sides[side]->*table) { rows.push_back(row_of(each)); }
        out.row_of_record[side].reserve(sides[side]->live.size());
        for (const auto& row : sides[side]->live) { out.row_of_record[side].push_back(rows[row.*index]); }
    }
}

void group_by_route(grouping& out, snapshot_pair sides) {
    row_table rows{out};
    group_by_table(out, sides, &snapshot::routes, &live_record::route,
                   [&](const std::string& route) { return rows(route, route_name(route)); });
}

// Within a session a thread is its tid; in another one only the name can tell, and equal names are one row.
void group_by_thread(grouping& out, snapshot_pair sides) {
    row_table rows{out};
    const bool by_tid = is_same_session(*sides[before_side], *sides[after_side]);
    group_by_table(out, sides, &snapshot::threads, &live_record::thread, [&](const thread_info& thread) {
        return rows(by_tid && thread.tid != 0 ? std::to_string(thread.tid) : thread.name, thread_name(thread));
    });
}

}  // namespace

grouping group(dimension by, snapshot_pair sides, const site_match& match) {
    grouping out;
    out.by = by;
    switch (by) {
        case dimension::site:
            group_by_site(out, sides, match);
            break;
        case dimension::type:
            group_by_type(out, sides);
            break;
        case dimension::tag:
            group_by_tag(out, sides);
            break;
        case dimension::trace:
            group_by_trace(out, sides);
            break;
        case dimension::route:
            group_by_route(out, sides);
            break;
        case dimension::thread:
            group_by_thread(out, sides);
            break;
        case dimension::pool:
            group_by_pool(out, sides);
            break;
    }
    return out;
}

std::string route_name(const std::string& route) { return route.empty() ? "(no route)" : route; }

std::string trace_name(trace_id id) { return id.is_valid() ? to_string(id) : "(no trace)"; }

std::string thread_name(const thread_info& thread) {
    if (!thread.name.empty()) { return thread.name; }
    return thread.tid == 0 ? "other" : "thread " + std::to_string(thread.tid);
}

}  // namespace memwatch::inline v1
