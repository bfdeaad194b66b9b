// SPDX-License-Identifier: Apache-2.0
#include "gate/judgement.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <memwatch/model/site_name.hpp>

#include "diff/clusters.hpp"

namespace memwatch::inline v1::gate {
namespace {

constexpr double sigmas = 2;

// What a site budget is held against, as a focus is: names, and the code of any frame.
std::vector<std::string> focus_texts(const delta_row& row, const std::vector<module>& modules) {
    std::vector<std::string> texts{row.name, row.type, row.tag};
    for (const frame& f : row.stack) {
        for (const source_line& line : f.lines) {
            texts.push_back(line.function);
            texts.push_back(bare_function_name(line.function));
        }
        texts.push_back(frame_name(f, modules));
        if (f.module < modules.size()) { texts.push_back(modules[f.module].path); }
    }
    return texts;
}

bool matches_tag(const budget& b, const std::string& tag) {
    return b.match.is_everything() ? b.pattern == tag : b.match.matches(tag);
}

std::size_t first_tag_budget(const policy& p, const std::string& tag) {
    for (std::size_t i = 0; i < p.tags.size(); ++i) {
        if (matches_tag(p.tags[i], tag)) { return i; }
    }
    return no_row;
}

outcome judge_growth(double bytes, double standard_error, double limit) {
    if (bytes <= limit) { return outcome::passed; }
    return bytes > sigmas * standard_error ? outcome::breached : outcome::within_error;
}

// Growth G in blocks far below R has the variance R G; beside the noise `variance` of what was there before, G stands out from
// 2 sqrt(variance + R G) on: G = 2 (R + sqrt(R^2 + variance)). Without noise that is 4 R. (Blocks above R are seen one by one.)
double seen_from(double interval_bytes, double variance) {
    return sigmas * (interval_bytes + std::sqrt(interval_bytes * interval_bytes + variance));
}

// One rule while its items come in.
struct tally {
    tally(rule_kind kind, std::string name, const budget& b) {
        rule.kind = kind;
        rule.name = std::move(name);
        rule.reason = b.reason;
        rule.limit_bytes = b.limit_bytes;
    }

    judged_rule rule;
    double variance{};

    void add(judged_item item, double item_variance) {
        item.standard_error = std::sqrt(item_variance);
        item.what = judge_growth(item.bytes, item.standard_error, rule.limit_bytes);
        rule.what = std::max(rule.what, item.what);
        rule.bytes += item.bytes;
        ++rule.looked_at;
        variance += item_variance;
        keep(item);
    }

    // Several items as one: they are in the sums already.
    void judge_together(judged_item item, double item_variance) {
        item.standard_error = std::sqrt(item_variance);
        item.what = judge_growth(item.bytes, item.standard_error, rule.limit_bytes);
        if (item.what == outcome::passed) { return; }
        rule.what = std::max(rule.what, item.what);
        keep(item);
    }

    // What is over the limit, else the largest one.
    void keep(const judged_item& item) {
        auto& items = rule.items;
        if (item.what != outcome::passed) {
            if (!items.empty() && items.front().what == outcome::passed) { items.clear(); }
            items.push_back(item);
        } else if (items.empty()) {
            items.push_back(item);
        } else if (items.front().what == outcome::passed && item.bytes > items.front().bytes) {
            items.front() = item;
        }
    }

    judged_rule finish() && {
        std::stable_sort(rule.items.begin(), rule.items.end(), [](const judged_item& a, const judged_item& b) {
            return a.what != b.what ? a.what > b.what : a.bytes > b.bytes;
        });
        return std::move(rule);
    }
};

class judge_of_delta {
public:
    judge_of_delta(const policy& p, const delta& sites, const delta& tags)
        : policy_(p),
          sites_(sites),
          tags_(tags),
          site_rule_(rule_kind::site, "site growth", {{}, {}, p.site_limit_bytes, {}}),
          total_rule_(rule_kind::total, "total growth", {{}, {}, p.total_limit_bytes, {}}) {
        out_.interval_bytes = static_cast<double>(std::max(sites.before.interval_bytes, sites.after.interval_bytes));
        for (const budget& b : p.sites) { site_budgets_.emplace_back(rule_kind::site_budget, "sites " + b.pattern, b); }
        for (const budget& b : p.tags) { tag_budgets_.emplace_back(rule_kind::tag_budget, "tag " + b.pattern, b); }
        used_.resize(p.suppressions.size());
    }

    judgement run() {
        pair_moves();
        judged_by_.resize(sites_.rows.size());
        for (std::size_t i = 0; i < sites_.rows.size(); ++i) { take_site(i); }
        for (const auto& rows : rows_by_place(sites_)) {
            if (rows.size() < 2) { continue; }
            judge_place(rows, site_rule_);
            for (tally& budget : site_budgets_) { judge_place(rows, budget); }
        }
        for (std::size_t i = 0; i < tags_.rows.size(); ++i) { take_tag(i); }
        take_total();
        std::stable_sort(out_.suppressed.begin(), out_.suppressed.end(),
                         [&](const auto& a, const auto& b) { return sites_.rows[a.row].bytes > sites_.rows[b.row].bytes; });
        for (std::size_t i = 0; i < used_.size(); ++i) {
            if (!used_[i]) { out_.unused_suppressions.push_back(i); }
        }
        return std::move(out_);
    }

private:
    void pair_moves() {
        moved_from_.assign(sites_.rows.size(), no_row);
        moved_to_.assign(sites_.rows.size(), no_row);
        for (const move_proposal& m : sites_.moves) {
            if (m.gone >= sites_.rows.size() || m.appeared >= sites_.rows.size()) { continue; }
            moved_from_[m.appeared] = m.gone;
            moved_to_[m.gone] = m.appeared;
        }
    }

    // First suppression that fits; no_row = none.
    std::size_t suppression_of(std::size_t row) const {
        if (policy_.suppressions.empty()) { return no_row; }
        const auto texts = texts_of(sites_.rows[row].stack, sites_.modules);
        for (std::size_t i = 0; i < policy_.suppressions.size(); ++i) {
            if (suppresses(policy_.suppressions[i], texts)) { return i; }
        }
        return no_row;
    }

    // First site budget that fits; no_row = none.
    std::size_t site_budget_of(const delta_row& site) const {
        if (policy_.sites.empty()) { return no_row; }
        const auto texts = focus_texts(site, sites_.modules);
        for (std::size_t i = 0; i < policy_.sites.size(); ++i) {
            const focus& match = policy_.sites[i].match;
            if (std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return match.matches(text); })) {
                return i;
            }
        }
        return no_row;
    }

    void take_site(std::size_t row) {
        const delta_row& site = sites_.rows[row];
        const bool is_accepted_past = policy_.accepts_moves && moved_to_[row] != no_row;
        if (is_accepted_past) { return; }  // judged with what it became
        judged_item item{row, moved_from_[row], site.bytes};
        double variance = site.bytes_standard_error * site.bytes_standard_error;
        if (policy_.accepts_moves && item.moved_from != no_row) {
            const delta_row& past = sites_.rows[item.moved_from];
            item.bytes += past.bytes;
            variance += past.bytes_standard_error * past.bytes_standard_error;
        }
        if (const std::size_t which = suppression_of(row); which != no_row) {
            used_[which] = true;
            out_.suppressed.push_back({row, which});
            out_.suppressed_bytes += item.bytes;
            auto& tag = suppressed_of_tag_[site.tag];
            tag.bytes += item.bytes;
            tag.variance += variance;
            return;
        }
        if (const std::size_t i = site_budget_of(site); i != no_row) {
            return judge_site(row, site_budgets_[i], item, variance);
        }
        if (first_tag_budget(policy_, site.tag) != no_row) {
            out_.tagged_bytes += item.bytes;
            return;
        }
        judge_site(row, site_rule_, item, variance);
    }

    void judge_site(std::size_t row, tally& by, const judged_item& item, double variance) {
        judged_by_[row] = {&by, {item.bytes, variance}};
        by.add(item, variance);
    }

    // Sites of one place under one limit, none of which is over it by itself.
    void judge_place(const std::vector<std::size_t>& rows, tally& by) {
        growth sum;
        judged_item item;
        item.paths = 0;
        for (const std::size_t row : rows) {
            if (judged_by_[row].by != &by) { continue; }
            const auto& [bytes, variance] = judged_by_[row].of;
            if (judge_growth(bytes, std::sqrt(variance), by.rule.limit_bytes) == outcome::breached) { return; }
            if (item.row == no_row || bytes > judged_by_[item.row].of.bytes) { item.row = row; }
            sum.bytes += bytes;
            sum.variance += variance;
            item.paths += bytes != 0 ? 1 : 0;
        }
        item.bytes = sum.bytes;
        if (item.paths > 1) { by.judge_together(item, sum.variance); }
    }

    // The counter of a tag knows every block; what its suppressed sites hold has to come off it as an estimate. Sites with a
    // budget of their own stay in: the tag's limit is for all of the tag.
    void take_tag(std::size_t row) {
        const delta_row& tag = tags_.rows[row];
        const std::size_t which = first_tag_budget(policy_, tag.name);
        if (which == no_row) { return; }
        const auto suppressed = suppressed_of_tag_.find(tag.name);
        judged_item item{row, no_row, tag.bytes};
        double variance = tag.bytes_standard_error * tag.bytes_standard_error;
        if (suppressed != suppressed_of_tag_.end()) {
            item.bytes -= suppressed->second.bytes;
            variance += tag.is_exact ? suppressed->second.variance : -std::min(variance, suppressed->second.variance);
        }
        if (!tag.is_exact) { estimated_tags_[which] = true; }
        tag_budgets_[which].add(item, variance);
    }

    void take_total() {
        const double interval = out_.interval_bytes;
        judged_item total{no_row, no_row, site_rule_.rule.bytes};
        total_rule_.add(total, site_rule_.variance);
        site_rule_.rule.seen_from_bytes = seen_from(interval, 0);
        total_rule_.rule.seen_from_bytes = seen_from(interval, site_rule_.variance);
        for (tally& t : site_budgets_) { t.rule.seen_from_bytes = seen_from(interval, 0); }
        for (std::size_t i = 0; i < tag_budgets_.size(); ++i) {
            tag_budgets_[i].rule.seen_from_bytes = estimated_tags_[i] ? seen_from(interval, 0) : 0;
        }
        out_.rules.push_back(std::move(site_rule_).finish());
        out_.rules.push_back(std::move(total_rule_).finish());
        for (auto* budgets : {&site_budgets_, &tag_budgets_}) {
            for (tally& t : *budgets) { out_.rules.push_back(std::move(t).finish()); }
        }
    }

    struct growth {
        double bytes{};
        double variance{};
    };
    struct judged_site {
        tally* by{};  // null: suppressed, or its tag's budget
        growth of;
    };

    const policy& policy_;
    const delta& sites_;
    const delta& tags_;
    judgement out_;
    tally site_rule_;
    tally total_rule_;
    std::vector<tally> site_budgets_;
    std::vector<tally> tag_budgets_;
    std::map<std::size_t, bool> estimated_tags_;
    std::map<std::string, growth> suppressed_of_tag_;
    std::vector<judged_site> judged_by_;  // by row
    std::vector<std::size_t> moved_from_;
    std::vector<std::size_t> moved_to_;
    std::vector<bool> used_;
};

}  // namespace

bool judgement::is_breached() const noexcept { return count(outcome::breached) != 0; }

std::size_t judgement::count(outcome what) const noexcept {
    return static_cast<std::size_t>(
        std::count_if(rules.begin(), rules.end(), [&](const judged_rule& r) { return r.what == what; }));
}

judgement judge(const policy& p, const delta& sites, const delta& tags) { return judge_of_delta(p, sites, tags).run(); }

const char* to_string(rule_kind kind) noexcept {
    switch (kind) {
        case rule_kind::site:
            return "site-growth";
        case rule_kind::site_budget:
            return "site-budget";
        case rule_kind::tag_budget:
            return "tag-budget";
        case rule_kind::total:
            return "total-growth";
    }
    return "";
}

const char* to_string(outcome what) noexcept {
    switch (what) {
        case outcome::passed:
            return "passed";
        case outcome::within_error:
            return "within-sampling-error";
        case outcome::breached:
            return "breached";
    }
    return "";
}

}  // namespace memwatch::inline v1::gate
