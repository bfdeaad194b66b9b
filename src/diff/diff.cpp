// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include <memwatch/diff/diff.hpp>
#include <memwatch/model/site_name.hpp>

#include "diff/comparability.hpp"
#include "diff/focus.hpp"
#include "diff/grouping.hpp"
#include "diff/levels.hpp"
#include "diff/match.hpp"
#include "diff/ranking.hpp"
#include "diff/shares.hpp"
#include "diff/sums.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

change kind_of(const row_sums& sums, double bytes, double objects) {
    const auto is_nothing = [](const sampled_totals& side) { return side.bytes == 0 && side.objects == 0; };
    if (bytes == 0 && objects == 0) { return change::unchanged; }
    if (is_nothing(sums.live[before_side])) { return change::appeared; }
    if (is_nothing(sums.live[after_side])) { return change::gone; }
    return (bytes != 0 ? bytes : objects) > 0 ? change::grew : change::shrank;
}

// One comparison under way: the inputs, what was matched, grouped and added up, and the delta it becomes.
class comparison {
public:
    comparison(const std::vector<const snapshot*>& of, const diff_options& options, focus wanted)
        : of_(of), sides_{of.front(), of.back()}, options_(options), focus_(std::move(wanted)) {}

    delta run() {
        match_ = match_sites(sides_);
        groups_ = group(options_.by, sides_, match_);
        sums_ = add_up(sides_, groups_, options_.by == dimension::site);
        weights_ = row_weights(sides_, groups_);
        if (of_.size() > 2) { levels_ = levels_between(of_, groups_, sums_); }
        describe();
        choose_rows();
        for (const auto row : chosen_) { out_.rows.push_back(full_row(row)); }
        for (std::size_t i = 0; options_.own_order && i < chosen_.size(); ++i) { out_.rows[i].rank.score = own_scores_[i]; }
        if (options_.by == dimension::site) {
            add_shares();
            add_moves();
        }
        out_.modules = std::move(match_.modules);
        return std::move(out_);
    }

private:
    const snapshot& at(std::size_t side) const { return *sides_[side]; }

    void describe() {
        out_.by = options_.by;
        out_.before = at(before_side).info;
        out_.after = at(after_side).info;
        out_.before_fingerprint = fingerprint_of(at(before_side));
        out_.after_fingerprint = fingerprint_of(at(after_side));
        out_.seconds = std::abs(seconds_between(at(before_side), at(after_side)));
        out_.warnings = comparability_warnings(at(before_side), at(after_side));
        out_.warnings.insert(out_.warnings.end(), match_.warnings.begin(), match_.warnings.end());
        out_.warnings.insert(out_.warnings.end(), levels_.warnings.begin(), levels_.warnings.end());
        out_.ranking = options_.own_order ? "own" : to_string(options_.order);
        out_.long_lived_ns = sums_.long_lived_ns;
        const bool is_by_record =
            options_.by == dimension::trace || options_.by == dimension::route || options_.by == dimension::thread;
        if (is_by_record && sums_.has_missing_records) {
            out_.warnings.push_back(
                "some live records are missing (a summary, or a damaged dump): the rows do not hold everything");
        } else if (sums_.has_missing_records && (!at(before_side).live.empty() || !at(after_side).live.empty())) {
            out_.warnings.push_back(
                "one side is an excerpt (a black box, a summary or a damaged dump): sizes are whole, routes, traces and "
                "threads "
                "are left out");
        }
        if (options_.by == dimension::site) {
            for (const auto rung : match_.rungs) { ++out_.rungs[static_cast<std::size_t>(rung)]; }
        }
        out_.total = row_of_sums(sums_.total);
        out_.total.name = out_.total.key = "total";
        if (options_.by == dimension::tag || options_.by == dimension::pool) { return; }  // sums of another kind
        if (sums_.has_missing_records) { return; }  // a share of those that are left is none of the whole
        out_.total.before.untraced_bytes = untraced_bytes(at(before_side));
        out_.total.after.untraced_bytes = untraced_bytes(at(after_side));
    }

    static double untraced_bytes(const snapshot& s) {
        sampled_totals untraced;
        for (const live_record& r : s.live) {
            if (!r.trace.is_valid()) { untraced.add(r.size_bytes, r.interval_bytes); }
        }
        return s.live.empty() ? -1 : untraced.bytes;
    }

    delta_row row_of_sums(const row_sums& sums) const {
        delta_row row;
        row.before = side_of(sums, before_side);
        row.after = side_of(sums, after_side);
        row.bytes = row.after.live.bytes - row.before.live.bytes;
        row.objects = row.after.live.objects - row.before.live.objects;
        row.bytes_standard_error = std::sqrt(sums.variance);
        row.rate_bytes_per_s = out_.seconds > 0 ? row.bytes / out_.seconds : 0;
        row.survivors_bytes = sums_.has_missing_records ? 0 : sums.survivors_bytes;
        row.steady_bytes = std::clamp(sums.steady_bytes(), 0.0, std::max(0.0, row.bytes));
        row.what = kind_of(sums, row.bytes, row.objects);
        row.is_exact = sums.is_exact;
        note_survival(sums, row);
        return row;
    }

    // The figures of a row, without names; the terms of its rank once the largest growth is known.
    delta_row numbers_of(std::uint32_t row) const {
        auto out = row_of_sums(sums_.rows[row]);
        if (!levels_.steady_limit.empty()) { out.steady_bytes = std::min(out.steady_bytes, levels_.steady_limit[row]); }
        for (const auto& level : levels_.bytes) { out.during_bytes.push_back(level[row]); }
        const double long_lived = sums_.rows[row].long_lived_share(out.bytes);
        out.rank = score_terms(out.rank_bytes(), largest_rank_bytes_, long_lived, weights_[row]);
        return out;
    }

    void find_largest() {
        for (std::uint32_t row = 0; row < groups_.rows; ++row) {
            largest_rank_bytes_ = std::max(largest_rank_bytes_, numbers_of(row).rank_bytes());
        }
    }

    rank_key order_of(std::uint32_t row, const delta_row& numbers) const {
        if (!options_.own_order) { return key_of(options_.order, numbers); }
        const double score = options_.own_order(full_row(row));
        return {std::isnan(score) ? -std::numeric_limits<double>::infinity() : score, numbers.rank_bytes(), numbers.bytes};
    }

    // What lived on and what was freed is only known where each block can be followed.
    void note_survival(const row_sums& sums, delta_row& row) const {
        const bool is_followed = is_same_session(at(before_side), at(after_side)) && !sums_.has_missing_records;
        if (!is_followed || row.is_exact) { return; }
        row.survived_bytes = std::max(0.0, row.after.live.bytes - sums.one_sided_bytes[after_side]);
        row.freed_bytes = sums.one_sided_bytes[before_side];
    }

    delta_side side_of(const row_sums& sums, std::size_t side) const {
        const auto birth = sums.oldest_birth_ns[side];
        const auto taken = at(side).info.taken_ns;
        const auto started = at(side).info.started_unix_ns;
        delta_side out;
        out.live = sums.live[side];
        if (sums_.has_missing_records) { return out; }  // nor how old its blocks are
        out.oldest_age_ns = birth < taken ? taken - birth : 0;
        if (started != 0 && birth <= sums.youngest_birth_ns[side]) {
            out.first_birth_unix_ns = started + birth;
            out.last_birth_unix_ns = started + sums.youngest_birth_ns[side];
        }
        return out;
    }

    // Decides which rows are shown, and in which order, on sums alone; names are made for those only.
    void choose_rows() {
        const auto in_focus = rows_in_focus();
        if (!focus_.is_everything() && std::find(in_focus.begin(), in_focus.end(), true) == in_focus.end()) {
            out_.warnings.push_back("the focus " + options_.focus + " matched nothing");
        }
        find_largest();
        std::vector<candidate> candidates;
        for (std::uint32_t row = 0; row < groups_.rows; ++row) {
            const auto full = numbers_of(row);
            const bool is_shown = in_focus[row] && std::abs(full.bytes) >= options_.threshold_bytes &&
                                  (options_.include_unchanged || full.what != change::unchanged);
            if (is_shown) { candidates.push_back({order_of(row, full), stable_order(row), row}); }
        }
        std::sort(candidates.begin(), candidates.end());
        cut_to_top(candidates);
        out_.hidden_rows = groups_.rows - candidates.size();
        for (const auto& each : candidates) {
            chosen_.push_back(each.row);
            own_scores_.push_back(each.rank.first);
        }
    }

    struct candidate {
        rank_key rank;
        std::uint64_t order;
        std::uint32_t row;
        bool operator<(const candidate& other) const {
            if (!rank.is_equal(other.rank)) { return rank.is_before(other.rank); }
            return order != other.order ? order < other.order : row < other.row;
        }
    };

    // The first `top`, and the other half of each move that one of them is part of: what shrank comes last, and "new" alone
    // would tell half of the story.
    void cut_to_top(std::vector<candidate>& candidates) const {
        if (options_.top == 0 || candidates.size() <= options_.top) { return; }
        std::vector<bool> is_kept(groups_.rows);
        for (std::size_t i = 0; i < options_.top; ++i) { is_kept[candidates[i].row] = true; }
        if (options_.by == dimension::site) {
            const auto chosen = is_kept;
            for (const auto& each : match_.moves) {
                if (chosen[each.gone] || chosen[each.appeared]) { is_kept[each.gone] = is_kept[each.appeared] = true; }
            }
        }
        std::erase_if(candidates, [&](const candidate& each) { return !is_kept[each.row]; });
    }

    // Keeps equal rows in the same order from run to run and build to build.
    std::uint64_t stable_order(std::uint32_t row) const { return options_.by == dimension::site ? match_.keys[row] : row; }

    std::vector<bool> rows_in_focus() const {
        std::vector<bool> rows(groups_.rows, focus_.is_everything());
        if (focus_.is_everything()) { return rows; }
        for (std::uint32_t row = 0; row < groups_.rows; ++row) {
            if (options_.by != dimension::site && focus_.matches(label(row).name)) { rows[row] = true; }
        }
        for (std::size_t side = 0; side < 2; ++side) { mark_focus(side, rows); }
        return rows;
    }

    // A row is in focus when a site or a route that its blocks belong to is.
    void mark_focus(std::size_t side, std::vector<bool>& rows) const {
        const auto& s = at(side);
        if (options_.by == dimension::pool) {
            for (std::size_t i = 0; i < s.pools.size(); ++i) {
                if (focus_.matches(s.pools[i].upstream)) { rows[groups_.row_of_entry[side][i]] = true; }
            }
            return;
        }
        const auto sites = sites_in_focus(s);
        for (std::size_t i = 0; i < groups_.row_of_site[side].size(); ++i) {
            if (sites[i]) { rows[groups_.row_of_site[side][i]] = true; }
        }
        std::vector<bool> routes;
        for (const auto& route : s.routes) { routes.push_back(focus_.matches(route)); }
        for (std::size_t i = 0; i < s.live.size(); ++i) {
            if (sites[s.live[i].site] || routes[s.live[i].route]) { rows[groups_.row_of_record[side][i]] = true; }
        }
    }

    std::vector<bool> sites_in_focus(const snapshot& s) const {
        std::vector<bool> frames;
        for (const auto& f : s.frames) { frames.push_back(is_frame_in_focus(f, s)); }
        std::vector<bool> sites;
        for (const auto& each : s.sites) {
            const auto& stack = s.stacks[each.stack].frames;
            sites.push_back(focus_.matches(each.type) || focus_.matches(s.tags[each.tag].name) ||
                            std::any_of(stack.begin(), stack.end(), [&](std::uint32_t i) { return frames[i]; }));
        }
        return sites;
    }

    // By any of its functions, as written and bare, by module, or by the name it is shown under.
    bool is_frame_in_focus(const frame& f, const snapshot& s) const {
        const bool by_function = std::any_of(f.lines.begin(), f.lines.end(), [&](const source_line& line) {
            return focus_.matches(line.function) || focus_.matches(bare_function_name(line.function));
        });
        return by_function || focus_.matches(frame_name(f, s.modules)) ||
               (f.module != no_module && focus_.matches(s.modules[f.module].path));
    }

    grouping::words label(std::uint32_t row) const {
        if (options_.by == dimension::trace) { return {trace_name(groups_.traces[row]), trace_name(groups_.traces[row])}; }
        return groups_.labels[row];
    }

    delta_row full_row(std::uint32_t row) const {
        auto full = numbers_of(row);
        if (options_.by == dimension::site) {
            full.rung = match_.rungs[row];
            full.before.sites = match_.counts[before_side][row];
            full.after.sites = match_.counts[after_side][row];
            describe_site(row, full);
        } else {
            full.rung = full.what == change::appeared || full.what == change::gone ? match_rung::none : match_rung::exact;
            auto words = label(row);
            full.name = std::move(words.name);
            full.key = std::move(words.key);
        }
        return full;
    }

    void describe_site(std::uint32_t row, delta_row& full) const {
        const auto [side, index] = match_.rows[row];
        const auto& s = at(side);
        const auto& site = s.sites[index];
        full.name = site_name(s, site);
        full.tag = s.tags[site.tag].name;
        full.type = site.type;
        full.key = site_key(s, site);
        for (const auto i : s.stacks[site.stack].frames) {
            full.stack.push_back(s.frames[i]);
            auto& module_index = full.stack.back().module;
            if (module_index != no_module) { module_index = match_.module_of[side][module_index]; }
        }
    }

    void add_moves() {
        std::unordered_map<std::uint32_t, std::size_t> place;
        for (std::size_t i = 0; i < chosen_.size(); ++i) { place.emplace(chosen_[i], i); }
        for (auto& each : match_.moves) {
            const auto gone = place.find(each.gone);
            const auto appeared = place.find(each.appeared);
            if (gone == place.end() || appeared == place.end()) { continue; }
            out_.moves.push_back({gone->second, appeared->second, std::move(each.why)});
        }
    }

    // For whom something grew is known from each block: those that are left of an excerpt would tell of the excerpt.
    void add_shares() {
        if (sums_.has_missing_records) { return; }
        std::vector<bool> wanted(groups_.rows);
        for (const auto row : chosen_) { wanted[row] = true; }
        auto shares = shares_of_rows(sides_, sums_.changed, wanted);
        for (std::size_t i = 0; i < chosen_.size(); ++i) { out_.rows[i].shares = std::move(shares[chosen_[i]]); }
    }

    const std::vector<const snapshot*>& of_;
    snapshot_pair sides_;
    const diff_options& options_;
    focus focus_;
    site_match match_;
    grouping groups_;
    delta_sums sums_;
    row_levels levels_;
    std::vector<double> weights_;  // of each row
    double largest_rank_bytes_{};
    std::vector<std::uint32_t> chosen_;
    std::vector<double> own_scores_;  // of the chosen
    delta out_;
};

}  // namespace

result<delta> diff(const std::vector<const snapshot*>& of, const diff_options& options) {
    if (of.size() < 2) { return fail(error_code::invalid_argument, "a comparison needs two snapshots"); }
    for (std::size_t i = 0; i < of.size(); ++i) {
        const std::string side = i == 0 ? "BEFORE" : i + 1 == of.size() ? "AFTER" : "snapshot " + std::to_string(i + 1);
        if (of[i] == nullptr) { return fail(error_code::invalid_argument, "there is no such snapshot", side); }
        if (auto checked = validate(*of[i]); !checked) {
            return fail(error_code::invalid_argument, checked.error().what, side + ": " + checked.error().where);
        }
    }
    auto wanted = focus::parse(options.focus);
    if (!wanted) { return tl::unexpected<error>(wanted.error()); }
    return comparison{of, options, std::move(*wanted)}.run();
}

result<delta> diff(const snapshot& before, const snapshot& after, const diff_options& options) {
    return diff(std::vector<const snapshot*>{&before, &after}, options);
}

}  // namespace v1
}  // namespace memwatch
