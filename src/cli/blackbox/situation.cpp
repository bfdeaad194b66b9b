// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>
#include <utility>

#include "cli/blackbox/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// The rows of two views of one kind are in one order where they are sorted by what both know.
void copy_column(const view& from, view& to, std::string_view key) {
    const auto found = std::find_if(to.columns.begin(), to.columns.end(), [&](const view_column& c) { return c.key == key; });
    const auto column = static_cast<std::size_t>(found - to.columns.begin());
    if (found == to.columns.end()) { return; }
    for (std::size_t i = 0; i < std::min(from.rows.size(), to.rows.size()); ++i) { to.rows[i][column] = from.rows[i][column]; }
}

}  // namespace

verdict_list told_verdicts(const story& told, std::size_t top) {
    verdict_list list = list_verdicts(situation_with_requests(told), {verdict_level::suspect, {}, top});
    for (judged& row : list.rows) {
        for (auto& [route, share] : row.routes) { share = 0; }  // of a few blocks: not the site's
    }
    return list;
}

result<view> told_sites(const story& told, std::size_t top) {
    const view_options options{top, {}, {}, {}};
    result<view> sites = make_view(*told.situation, view_kind::sites, options);
    const result<view> with_requests = make_view(situation_with_requests(told), view_kind::sites, options);
    if (!sites || !with_requests) { return sites; }
    for (const std::string_view key : {"route", "routes", "trace_ids"}) { copy_column(*with_requests, *sites, key); }
    return sites;
}

}  // namespace v1
}  // namespace memwatch
