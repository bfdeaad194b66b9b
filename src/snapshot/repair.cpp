// SPDX-License-Identifier: Apache-2.0
#include "snapshot/repair.hpp"

#include <algorithm>
#include <utility>

#include "model/verdict_checks.hpp"

namespace memwatch::inline v1::codec {
namespace {

constexpr const char* placeholder = "(damaged)";

// Counts what one rule touched and reports it as one line.
class loss {
public:
    loss(std::vector<std::string>& damage, const char* what) : damage_(damage), what_(what) {}
    loss(const loss&) = delete;
    loss& operator=(const loss&) = delete;
    ~loss() {
        if (rows_ > 0) { damage_.push_back(std::to_string(rows_) + " " + what_); }
    }
    void count() { ++rows_; }

private:
    std::vector<std::string>& damage_;
    const char* what_;
    std::size_t rows_{};
};

// Index of a row that stands for everything missing from `table`; added when first needed.
template <class Row, class Make>
class stand_in {
public:
    stand_in(std::vector<Row>& table, Make make) : table_(table), known_(table.size()), make_(make) {}

    // True when `index` pointed nowhere and now points to the placeholder.
    bool fix(std::uint32_t& index) {
        if (index < known_) { return false; }
        if (table_.size() == known_) { table_.push_back(make_()); }
        index = static_cast<std::uint32_t>(known_);
        return true;
    }

private:
    std::vector<Row>& table_;
    std::size_t known_;
    Make make_;
};

void repair_code(snapshot& s, std::vector<std::string>& damage) {
    loss lost_modules(damage, "frames: their module is lost");
    stand_in modules(s.modules, [] { return module{placeholder, {}, 0, 0, 0}; });
    for (auto& row : s.frames) {
        if (row.module != no_module && modules.fix(row.module)) { lost_modules.count(); }
    }
    loss cut(damage, "stacks: cut at a frame that is lost");
    for (auto& row : s.stacks) {
        const auto bad =
            std::find_if(row.frames.begin(), row.frames.end(), [&](auto index) { return index >= s.frames.size(); });
        if (bad == row.frames.end()) { continue; }
        row.frames.erase(bad, row.frames.end());
        row.is_truncated = true;
        cut.count();
    }
}

void repair_tags(snapshot& s, std::vector<std::string>& damage) {
    loss torn(damage, "tags: more freed than allocated, set to nothing alive");
    loss weightless(damage, "tags: a weight that is not between 0 and 1, set to the default");
    for (auto& row : s.tags) {
        if (!(row.weight >= 0 && row.weight <= 1)) {
            row.weight = default_tag_weight;
            weightless.count();
        }
        if (row.freed_bytes <= row.allocated_bytes && row.frees <= row.allocations) { continue; }
        row.freed_bytes = row.allocated_bytes;
        row.frees = row.allocations;
        torn.count();
    }
}

void repair_pools(snapshot& s, std::vector<std::string>& damage) {
    loss forgotten(damage, "pools: the place or route of the oldest checkout is lost");
    for (auto& row : s.pools) {
        const bool is_frame_lost = row.oldest_frame > s.frames.size();
        const bool is_route_lost = row.oldest_route != 0 && row.oldest_route >= s.routes.size();
        if (is_frame_lost) { row.oldest_frame = 0; }
        if (is_route_lost) { row.oldest_route = 0; }
        if (is_frame_lost || is_route_lost) { forgotten.count(); }
    }
}

// True when something had to be replaced by zero.
bool repair_amount(double& value) {
    if (is_amount(value)) { return false; }
    value = 0;
    return true;
}

bool repair_totals(sampled_totals& totals) {
    bool touched = false;
    for (auto* value : {&totals.bytes, &totals.objects, &totals.bytes_variance, &totals.objects_variance}) {
        touched |= repair_amount(*value);
    }
    return touched;
}

bool repair_figures(site& row) {
    bool touched = false;
    for (auto* totals : {&row.live, &row.allocated, &row.freed, &row.freed_by_other_thread}) {
        touched |= repair_totals(*totals);
    }
    for (auto& objects : row.lifetimes.objects) { touched |= repair_amount(objects); }
    touched |= repair_amount(row.lifetimes.sum_seconds);
    for (auto& each : row.cohorts) {
        touched |= repair_amount(each.born_bytes);
        touched |= repair_amount(each.born_objects);
    }
    const auto unordered = std::adjacent_find(row.cohorts.begin(), row.cohorts.end(),
                                              [](const cohort& a, const cohort& b) { return a.epoch >= b.epoch; });
    if (unordered == row.cohorts.end()) { return touched; }
    row.cohorts.erase(unordered + 1, row.cohorts.end());
    return true;
}

void repair_sites(snapshot& s, std::vector<std::string>& damage) {
    loss lost_stacks(damage, "sites: their stack is lost");
    loss lost_tags(damage, "sites: their tag is lost");
    loss figures(damage, "sites: impossible figures, set to zero");
    stand_in stacks(s.stacks, [] { return stack{{}, true}; });
    stand_in tags(s.tags, [] { return tag_totals{placeholder, 0, 0, 0, 0, default_tag_weight}; });
    for (auto& row : s.sites) {
        if (stacks.fix(row.stack)) { lost_stacks.count(); }
        if (tags.fix(row.tag)) { lost_tags.count(); }
        if (repair_figures(row)) { figures.count(); }
    }
}

void repair_live(snapshot& s, std::vector<std::string>& damage) {
    loss dropped(damage, "live records: dropped, their site is lost or their order is broken");
    loss lost_names(damage, "live records: their route or thread is lost");
    stand_in routes(s.routes, [] { return std::string{placeholder}; });
    stand_in threads(s.threads, [] { return thread_info{placeholder, 0, false}; });
    std::vector<std::uint64_t> records(s.sites.size());
    std::size_t kept = 0;
    for (auto& row : s.live) {
        const bool in_order = kept == 0 || s.live[kept - 1].sequence < row.sequence;
        if (row.site >= s.sites.size() || !in_order || records[row.site] >= s.sites[row.site].live.samples) {
            dropped.count();
            continue;
        }
        ++records[row.site];
        const bool route_lost = routes.fix(row.route);
        const bool thread_lost = threads.fix(row.thread);
        if (route_lost || thread_lost) { lost_names.count(); }
        s.live[kept++] = row;
    }
    s.live.resize(kept);
}

void repair_lifecycles(snapshot& s, std::vector<std::string>& damage) {
    loss dropped(damage, "survivals: dropped, their site is lost or their order is broken");
    loss figures(damage, "survivals and hand-offs: impossible figures, set to zero");
    std::size_t kept = 0;
    for (auto& row : s.survivals) {
        if (row.site >= s.sites.size() || (kept > 0 && s.survivals[kept - 1].site >= row.site)) {
            dropped.count();
            continue;
        }
        bool touched = repair_amount(row.survived_traced_bytes);
        for (auto* totals : {&row.survived, &row.ended, &row.short_lived}) { touched |= repair_totals(*totals); }
        if (touched) { figures.count(); }
        s.survivals[kept++] = row;
    }
    s.survivals.resize(kept);
    for (auto& row : s.hand_offs) {
        if (repair_totals(row.freed)) { figures.count(); }
    }
}

void repair_examples(snapshot& s, std::vector<std::string>& damage) {
    loss dropped(damage, "examples: dropped, their site is lost or their order is broken");
    std::size_t kept = 0;
    for (const auto& row : s.examples) {
        if (row.site >= s.sites.size() || (kept > 0 && s.examples[kept - 1].site >= row.site)) {
            dropped.count();
            continue;
        }
        s.examples[kept++] = row;
    }
    s.examples.resize(kept);
}

// True when something had to be replaced: a figure that is none, or a share that is no share.
bool repair_figures(verdict& row) {
    bool touched = false;
    const auto forget = [&](double& value) {
        value = 0;
        touched = true;
    };
    for (double* const value :
         {&row.retained_bytes, &row.retained_objects, &row.rate_error, &row.freed_objects, &row.follow_up}) {
        touched |= repair_amount(*value);
    }
    for (double* const value : {&row.rate_bytes_per_second, &row.bytes_per_trace}) {
        if (!is_figure(*value)) { forget(*value); }
    }
    for (double* const value : {&row.confidence, &row.kept_share, &row.kept_share_low, &row.kept_share_high, &row.escaped_share,
                                &row.other_thread_share}) {
        if (!is_share(*value)) { forget(*value); }
    }
    return touched;
}

// A class of a newer version is nothing that this one could explain.
bool repair_words(verdict& row) {
    if (is_known(row.kind) && is_known(row.doubt) && is_known(row.severity)) { return false; }
    row.kind = verdict_class::inconclusive;
    row.doubt = verdict_doubt::none;
    row.severity = verdict_severity::none;
    return true;
}

bool repair_features(verdict& row) {
    const auto is_lost = [](const verdict_feature& each) {
        return !is_known(each.kind) || !is_figure(each.value) || !is_figure(each.contribution);
    };
    const auto lost = std::erase_if(row.features, is_lost);
    const bool are_too_many = row.features.size() > verdict_feature_count;
    if (are_too_many) { row.features.resize(verdict_feature_count); }
    return lost != 0 || are_too_many;
}

void repair_verdicts(snapshot& s, std::vector<std::string>& damage) {
    loss dropped(damage, "verdicts: dropped, what they are about is lost or their order is broken");
    loss unknown(damage, "verdicts: of a class that this version does not know, set to inconclusive");
    loss figures(damage, "verdicts: impossible figures, set to zero or left out");
    std::size_t kept = 0;
    for (verdict& row : s.verdicts) {
        if (!has_subject(s, row) || (kept > 0 && !is_before(s.verdicts[kept - 1], row))) {
            dropped.count();
            continue;
        }
        if (repair_words(row)) { unknown.count(); }
        const bool were_features_lost = repair_features(row);
        if (repair_figures(row) || were_features_lost) { figures.count(); }
        if (&s.verdicts[kept] != &row) { s.verdicts[kept] = std::move(row); }
        ++kept;
    }
    s.verdicts.resize(kept);
}

}  // namespace

void repair(snapshot& s, std::vector<std::string>& damage) {
    if (validate(s)) { return; }
    repair_code(s, damage);
    repair_tags(s, damage);
    repair_pools(s, damage);
    repair_sites(s, damage);
    repair_live(s, damage);
    repair_lifecycles(s, damage);
    repair_examples(s, damage);
    repair_verdicts(s, damage);
}

std::uint64_t spelled_out_bytes(const snapshot& s) noexcept {
    std::uint64_t calls = 0;
    for (const stack& each : s.stacks) {
        for (const std::uint32_t index : each.frames) {
            const std::size_t lines = s.frames[index].lines.size();
            calls += lines > 1 ? lines - 1 : 0;
        }
    }
    return calls * sizeof(source_line);
}

}  // namespace memwatch::inline v1::codec
