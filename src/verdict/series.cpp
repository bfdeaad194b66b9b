// SPDX-License-Identifier: Apache-2.0
#include "verdict/series.hpp"

#include <algorithm>

#include <memwatch/model/site_name.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint32_t gone = 0xFFFF'FFFF;

std::uint64_t value_of(const std::vector<named_value>& list, std::string_view name) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const named_value& each) { return each.name == name; });
    return found == list.end() ? 0 : found->value;
}

bool has_records(const snapshot& s) {
    return !s.live.empty() ||
           std::all_of(s.sites.begin(), s.sites.end(), [](const site& row) { return row.live.samples == 0; });
}

result<void> check(const snapshot& next, const std::string& session, std::uint64_t last_ns) {
    if (!has_records(next)) {
        return fail(error_code::unreadable, "a summary has no records to judge by; take a snapshot with them", next.info.label);
    }
    if (session.empty()) { return {}; }
    if (next.info.session != session) {
        return fail(error_code::invalid_argument, "is of another session: one series is one process", next.info.label);
    }
    if (next.info.taken_ns < last_ns) {
        return fail(error_code::invalid_argument, "is older than the snapshot before it", next.info.label);
    }
    return {};
}

}  // namespace

std::uint32_t series::number_of(const snapshot& in, std::uint32_t row) {
    const auto [known, is_new] = numbers_.try_emplace(site_key(in, in.sites[row]), static_cast<std::uint32_t>(rows_.size()));
    if (is_new) { rows_.push_back(gone); }
    rows_[known->second] = row;
    return known->second;
}

result<void> series::add(const snapshot& next) {
    if (auto fine = check(next, session_, engines_.empty() ? 0 : engines_.front().last_look_ns()); !fine) { return fine; }
    if (engines_.empty()) {
        engines_.emplace_back(engine_settings{std::max<std::uint64_t>({next.info.epoch_ns, distance_ns_, 1}), settings_});
        session_ = next.info.session;
    }
    engine& judge = engines_.front();
    std::fill(rows_.begin(), rows_.end(), gone);
    std::vector<std::uint32_t> numbers(next.sites.size());
    for (std::uint32_t row = 0; row < numbers.size(); ++row) { numbers[row] = number_of(next, row); }
    look now;
    now.time_ns = next.info.taken_ns;
    now.sites = static_cast<std::uint32_t>(rows_.size());
    now.is_exact = next.info.sampler == "full";
    now.completed_traces = value_of(next.activity, "completed_traces");
    judge.begin_look(now);
    for (const live_record& record : next.live) {
        judge.count_block(numbers[record.site],
                          {record.birth_ns, record.size_bytes, record.interval_bytes, record.trace.is_valid()});
    }
    count_sites(next, numbers);
    if (!expected_.empty()) {
        for (const auto& [key, number] : numbers_) {
            if (const auto known = expected_.find(key); known != expected_.end()) {
                judge.set_expectation(number, known->second);
            }
        }
    }
    count_pools(next);
    judge.end_look();
    return {};
}

// Rows of one key (types that redaction made the same) are one site: the engine is told of each once.
void series::count_sites(const snapshot& next, const std::vector<std::uint32_t>& numbers) {
    std::vector<site_totals> totals(rows_.size());
    for (std::uint32_t row = 0; row < numbers.size(); ++row) {
        const site& of = next.sites[row];
        site_totals& sum = totals[numbers[row]];
        sum.allocated.add(of.allocated);
        sum.freed.add(of.freed);
        sum.freed_by_other_thread.add(of.freed_by_other_thread);
        sum.depth = static_cast<std::uint32_t>(next.stacks[of.stack].frames.size());
    }
    for (std::uint32_t number = 0; number < rows_.size(); ++number) {
        if (rows_[number] != gone) { engines_.front().count_site(number, totals[number]); }
    }
}

void series::count_pools(const snapshot& next) {
    std::fill(pool_rows_.begin(), pool_rows_.end(), gone);
    std::unordered_map<std::string, std::uint32_t> met;  // two of one name are two, in the order of their rows
    for (std::uint32_t row = 0; row < next.pools.size(); ++row) {
        const std::string& name = next.pools[row].name;
        const std::string which = name + '\0' + std::to_string(met[name]++);
        const auto [known, is_new] = pools_.try_emplace(which, static_cast<std::uint32_t>(pool_rows_.size()));
        if (is_new) { pool_rows_.push_back(gone); }
        pool_rows_[known->second] = row;
        engines_.front().count_pool(known->second, next.pools[row]);
    }
}

std::vector<verdict> series::verdicts() const {
    std::vector<verdict> all;
    if (engines_.empty()) { return all; }
    for (verdict& each : engines_.front().verdicts()) {
        const std::vector<std::uint32_t>& rows = each.subject == verdict_subject::pool ? pool_rows_ : rows_;
        if (rows[each.index] == gone) { continue; }
        each.index = rows[each.index];
        all.push_back(std::move(each));
    }
    return all;
}

}  // namespace v1
}  // namespace memwatch
