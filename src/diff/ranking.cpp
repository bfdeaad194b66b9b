// SPDX-License-Identifier: Apache-2.0
#include "diff/ranking.hpp"

#include <algorithm>
#include <cmath>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr double volatility_part = 0.40;
constexpr double long_lived_part = 0.35;
constexpr double weight_part = 0.25;
constexpr double decades = 2;  // growth below a hundredth of the largest is no volatility

struct ranking_name {
    ranking value;
    const char* text;
};
constexpr ranking_name names[] = {{ranking::weighted, "weighted"}, {ranking::bytes, "bytes"}, {ranking::steady, "steady"}};

// Tags of a pool are named, not numbered.
double weight_of_name(const snapshot& s, const std::string& name) {
    const auto found = std::find_if(s.tags.begin(), s.tags.end(), [&](const tag_totals& t) { return t.name == name; });
    return found == s.tags.end() ? default_tag_weight : found->weight;
}

double weight_of_pool(const snapshot& s, const pool_totals& pool) {
    if (!pool.tag.empty()) { return weight_of_name(s, pool.tag); }
    return pool.upstream_is_pool ? default_tag_weight : weight_of_name(s, pool.upstream);
}

// Means by row. A row that AFTER knows is weighed by AFTER alone.
class weigher {
public:
    explicit weigher(std::size_t rows) : sums_(rows), bytes_(rows), is_done_(rows) {}

    void add(std::uint32_t row, double bytes, double weight) {
        if (is_done_[row]) { return; }
        sums_[row] += (bytes + 1) * weight;  // + 1: also rows that hold nothing have a weight
        bytes_[row] += bytes + 1;
    }

    void end_side() {
        for (std::size_t i = 0; i < sums_.size(); ++i) { is_done_[i] = bytes_[i] > 0; }
    }

    [[nodiscard]] std::vector<double> take() {
        for (std::size_t i = 0; i < sums_.size(); ++i) {
            sums_[i] = bytes_[i] > 0 ? std::min(1.0, sums_[i] / bytes_[i]) : default_tag_weight;
        }
        return std::move(sums_);
    }

private:
    std::vector<double> sums_;
    std::vector<double> bytes_;
    std::vector<bool> is_done_;
};

void weigh_entries(weigher& rows, const snapshot& s, const grouping& groups, std::size_t side) {
    const auto& row_of = groups.row_of_entry[side];
    for (std::size_t i = 0; i < row_of.size(); ++i) {
        rows.add(row_of[i], 0, groups.by == dimension::pool ? weight_of_pool(s, s.pools[i]) : s.tags[i].weight);
    }
}

void weigh_side(weigher& rows, const snapshot& s, const grouping& groups, std::size_t side) {
    if (groups.by == dimension::tag || groups.by == dimension::pool) { return weigh_entries(rows, s, groups, side); }
    const auto& row_of_site = groups.row_of_site[side];
    for (std::size_t i = 0; i < row_of_site.size(); ++i) {
        rows.add(row_of_site[i], s.sites[i].live.bytes, s.tags[s.sites[i].tag].weight);
    }
    if (!row_of_site.empty()) { return; }
    const auto& row_of_record = groups.row_of_record[side];
    for (std::size_t i = 0; i < row_of_record.size(); ++i) {
        sampled_totals one;
        one.add(s.live[i].size_bytes, s.live[i].interval_bytes);
        rows.add(row_of_record[i], one.bytes, s.tags[s.sites[s.live[i].site].tag].weight);
    }
}

}  // namespace

rank_terms score_terms(double rank_bytes, double largest_rank_bytes, double long_lived, double weight) noexcept {
    rank_terms out;
    out.long_lived = std::clamp(long_lived, 0.0, 1.0);
    out.weight = std::clamp(weight, 0.0, 1.0);
    if (!(rank_bytes > 0)) { return out; }
    const double share = std::min(1.0, rank_bytes / std::max(rank_bytes, largest_rank_bytes));
    out.volatility = std::max(0.0, 1 + std::log10(share) / decades);
    const double open = std::min(1.0, 2 * out.volatility);
    out.score = volatility_part * out.volatility + open * (long_lived_part * out.long_lived + weight_part * out.weight);
    return out;
}

std::vector<double> row_weights(snapshot_pair sides, const grouping& groups) {
    weigher rows(groups.rows);
    for (const std::size_t side : {after_side, before_side}) {
        weigh_side(rows, *sides[side], groups, side);
        rows.end_side();
    }
    return rows.take();
}

bool rank_key::is_before(const rank_key& other) const noexcept {
    if (first != other.first) { return first > other.first; }
    return second != other.second ? second > other.second : third > other.third;
}

bool rank_key::is_equal(const rank_key& other) const noexcept {
    return first == other.first && second == other.second && third == other.third;
}

rank_key key_of(ranking by, const delta_row& row) noexcept {
    switch (by) {
        case ranking::bytes:
            return {row.bytes, 0, 0};
        case ranking::steady:
            return {row.rank_bytes(), row.bytes, 0};
        case ranking::weighted:
            break;
    }
    return {row.rank.score, row.rank_bytes(), row.bytes};
}

const char* to_string(ranking by) noexcept {
    for (const auto& each : names) {
        if (each.value == by) { return each.text; }
    }
    return "?";
}

result<ranking> parse_ranking(std::string_view text) {
    for (const auto& each : names) {
        if (text == each.text) { return each.value; }
    }
    return fail(error_code::invalid_argument, "not a ranking: use weighted, bytes or steady", std::string{text.substr(0, 64)});
}

}  // namespace v1
}  // namespace memwatch
