// SPDX-License-Identifier: Apache-2.0
#include "attribution/attribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include <fmt/format.h>
#include <memwatch/diff/diff.hpp>
#include <memwatch/model/fingerprint.hpp>
#include <memwatch/model/site_name.hpp>

#include "attribution/gather.hpp"
#include "diff/clusters.hpp"

namespace memwatch::inline v1 {
namespace {

constexpr double seconds_a_day = 86400;
constexpr std::size_t kept_shares = 5;  // a dimension
constexpr std::size_t kept_traces = 5;
constexpr std::uint64_t fewest_pool_objects = 16;  // below: may be a moment's load

std::string id_of(const snapshot_info& info) {
    const std::string session = info.session.empty() ? std::string("unknown") : info.session.substr(0, 16);
    return fmt::format("{}@{:.3f}s", session, static_cast<double>(info.taken_ns) / 1e9);
}

std::string build_of(const snapshot& s) {
    for (const module& m : s.modules) {
        if (m.path == s.info.executable) { return m.build_id; }
    }
    return {};
}

compared_snapshot compared(const snapshot& s) {
    const sampled_totals live = live_totals(s);
    return {s.info,        id_of(s.info), build_of(s), fingerprint_of(s).hex(), live.bytes, live.bytes_standard_error(),
            s.sites.size()};
}

// One finding from several rows: equal shares are one.
std::vector<delta_share> shares_of(const delta& change, const row_indices& rows) {
    std::vector<delta_share> all;
    std::map<std::tuple<dimension, std::string, trace_id>, std::size_t> known;
    for (const std::size_t row : rows) {
        for (const delta_share& share : change.rows[row].shares) {
            const auto [at, is_new] = known.try_emplace({share.by, share.name, share.trace}, all.size());
            is_new ? all.push_back(share) : void(all[at->second].bytes += share.bytes);
        }
    }
    std::stable_sort(all.begin(), all.end(), [](const delta_share& a, const delta_share& b) {
        return a.by != b.by ? a.by < b.by : std::abs(a.bytes) > std::abs(b.bytes);
    });
    std::vector<delta_share> kept;
    for (delta_share& share : all) {
        const auto of_kind = std::count_if(kept.begin(), kept.end(), [&](const delta_share& k) { return k.by == share.by; });
        if (static_cast<std::size_t>(of_kind) < kept_shares) { kept.push_back(std::move(share)); }
    }
    return kept;
}

// What a snapshot's process thinks of its sites and pools, by what machines call them.
class judgements {
public:
    judgements() = default;
    explicit judgements(const snapshot& s) {
        for (const verdict& each : s.verdicts) {
            const bool is_pool = each.subject == verdict_subject::pool;
            keep_worse(of_[{each.subject, is_pool ? s.pools[each.index].name : site_key(s, s.sites[each.index])}], each);
        }
    }

    [[nodiscard]] std::optional<verdict> of_pool(const std::string& name) const { return find(verdict_subject::pool, name); }
    [[nodiscard]] std::optional<verdict> of_rows(const delta& change, const row_indices& rows) const {
        std::optional<verdict> worst;
        for (const std::size_t row : rows) {
            if (const auto each = find(verdict_subject::site, change.rows[row].key)) { keep_worse(worst, *each); }
        }
        return worst;
    }

private:
    static void keep_worse(std::optional<verdict>& kept, const verdict& other) {
        const auto rank = [](const verdict& v) { return std::tuple(v.kind, v.confidence); };
        if (!kept || rank(*kept) < rank(other)) { kept = other; }
    }
    [[nodiscard]] std::optional<verdict> find(verdict_subject subject, const std::string& key) const {
        const auto found = of_.find({subject, key});
        return found == of_.end() ? std::nullopt : found->second;
    }

    std::map<std::pair<verdict_subject, std::string>, std::optional<verdict>> of_;
};

class attributor {
public:
    attributor(const std::vector<const snapshot*>& inputs, const attribution_options& options) : inputs_(inputs) {
        out_.options = options;
    }

    result<attribution> run() {
        diff_options how;
        how.focus = out_.options.focus;
        how.order = out_.options.order;
        result<delta> change = diff(inputs_, how);
        if (!change) { return tl::unexpected<error>(change.error()); }
        out_.change = std::move(*change);
        judgements_ = judgements(after());  // which diff() found to be valid
        out_.warnings = out_.change.warnings;
        for (const snapshot* s : inputs_) { out_.snapshots.push_back(compared(*s)); }
        out_.metrics = key_metrics(inputs_);
        find_sites();
        if (out_.options.focus.empty()) {
            find_pools();
            find_retention();
        }
        // What is only to be looked at again comes last.
        std::stable_partition(out_.findings.begin(), out_.findings.end(), [](const finding& f) { return !f.is_to_wait_for(); });
        out_.to_wait_for = static_cast<std::size_t>(
            std::count_if(out_.findings.begin(), out_.findings.end(), [](const finding& f) { return f.is_to_wait_for(); }));
        if (out_.options.top != 0 && out_.findings.size() > out_.options.top) {
            out_.more_findings = out_.findings.size() - out_.options.top;
            out_.findings.resize(out_.options.top);
        }
        return std::move(out_);
    }

private:
    [[nodiscard]] const snapshot& before() const { return *inputs_.front(); }
    [[nodiscard]] const snapshot& after() const { return *inputs_.back(); }

    // Significant growth above the threshold, in the clusters' order.
    void find_sites() {
        std::vector<cluster> leaks;
        for (cluster& each : cluster_rows(out_.change)) {
            const bool is_exact =
                std::all_of(each.rows.begin(), each.rows.end(), [&](std::size_t r) { return out_.change.rows[r].is_exact; });
            const bool is_sure = is_exact || each.bytes > 2 * each.bytes_standard_error;
            if (each.bytes > 0 && is_sure && each.bytes >= out_.options.threshold_bytes) { leaks.push_back(std::move(each)); }
        }
        std::vector<row_indices> rows;
        for (const cluster& each : leaks) { rows.push_back(leader_first(each.rows)); }
        std::vector<gathered> known = gather_sites(inputs_, out_.change, rows);
        for (std::size_t i = 0; i < leaks.size(); ++i) {
            out_.findings.push_back(site_finding(leaks[i], rows[i], std::move(known[i])));
        }
    }

    // The row with most growth speaks for the finding.
    [[nodiscard]] row_indices leader_first(row_indices rows) const {
        std::stable_sort(rows.begin(), rows.end(),
                         [&](std::size_t a, std::size_t b) { return out_.change.rows[a].bytes > out_.change.rows[b].bytes; });
        return rows;
    }

    finding site_finding(const cluster& leak, const row_indices& rows, gathered g) {
        const delta_row& row = out_.change.rows[rows.front()];
        finding f;
        f.kind = finding_kind::site;
        f.key = row.key;
        f.function = row.name;
        f.file = g.known.code.user_file;
        f.line = g.known.code.user_line;
        f.type = row.type;
        f.tag = row.tag;
        if (g.known.has_pool) { f.pool = g.known.pool.after.name; }
        f.what = row.what;
        f.sure = g.known.is_exact          ? certainty::exact_counter
                 : g.known.grown_error > 0 ? certainty::sampled
                                           : certainty::every_block;
        f.samples = g.samples;
        f.rows = rows;
        f.stack = row.stack;
        f.rank = leak.rank;
        f.course = std::move(g.course);
        f.since = {g.began, g.first_seen_ns, g.is_first_seen_late, g.has_live ? g.oldest_birth_ns : 0, g.first_snapshot};
        f.shares = shares_of(out_.change, rows);
        f.hand_offs = g.known.hand_offs;
        for (const delta_share& share : f.shares) {
            if (share.by == dimension::trace && share.trace.is_valid() && f.trace_ids.size() < kept_traces) {
                f.trace_ids.push_back(to_string(share.trace));
            }
        }
        f.judged = judgements_.of_rows(out_.change, rows);
        f.known = std::move(g.known);
        complete(f);
        return f;
    }

    // What follows from the facts, whatever the finding is about.
    void complete(finding& f) const {
        f.bytes = f.known.grown_bytes;
        f.bytes_error = f.known.grown_error;
        f.objects = f.known.grown_objects;
        f.live_bytes = f.known.live_bytes;
        f.standard_errors = f.bytes_error > 0 ? std::abs(f.bytes) / f.bytes_error : std::numeric_limits<double>::infinity();
        f.speed = speed_of(f);
        f.hints = apply_rules(f.known);
    }

    [[nodiscard]] growth_speed speed_of(const finding& f) const {
        growth_speed speed;
        const double seconds = out_.change.seconds;
        if (seconds <= 0) { return speed; }
        speed.bytes_per_s = f.bytes / seconds;
        speed.bytes_per_s_error = f.bytes_error / seconds;
        speed.bytes_per_day = speed.bytes_per_s * seconds_a_day;
        const double margin = 2 * speed.bytes_per_s_error * seconds_a_day;
        speed.bytes_per_day_low = speed.bytes_per_day - margin;
        speed.bytes_per_day_high = speed.bytes_per_day + margin;
        if (speed.bytes_per_s <= 0) { return speed; }
        if (f.live_bytes > 0) { speed.seconds_to_double = f.live_bytes / speed.bytes_per_s; }
        const auto resident = static_cast<double>(after().info.resident_bytes);
        if (resident > 0) { speed.seconds_to_double_rss = resident / speed.bytes_per_s; }
        const double taken = resident > 0 ? resident : out_.change.total.after.live.bytes;
        if (out_.options.limit_bytes > 0) {
            speed.seconds_to_limit = std::max(0.0, out_.options.limit_bytes - taken) / speed.bytes_per_s;
        }
        return speed;
    }

    void find_pools() {
        for (facts& known : gather_pools(before(), after())) {
            const pool_totals& now = known.pool.after;
            const bool is_told = std::any_of(out_.findings.begin(), out_.findings.end(), [&](const finding& f) {
                return f.kind == finding_kind::site && f.pool == now.name;
            });
            const double half_ns = out_.change.seconds * 1e9 / 2;
            const bool is_held = now.in_use - known.pool.before.in_use >= fewest_pool_objects &&
                                 static_cast<double>(now.oldest_checkout_ns) >= half_ns && half_ns > 0;
            if (is_told || !(is_held || known.grown_bytes >= out_.options.threshold_bytes)) { continue; }
            finding f;
            f.kind = finding_kind::pool;
            f.key = f.pool = now.name;
            f.function = known.function;
            f.tag = known.tag;
            f.sure = certainty::exact_counter;
            f.what = known.pool.before.in_use == 0 ? change::appeared : change::grew;
            f.since.oldest_live_ns = after().info.taken_ns - std::min(after().info.taken_ns, now.oldest_checkout_ns);
            if (now.oldest_trace.is_valid()) { f.trace_ids.push_back(to_string(now.oldest_trace)); }
            f.course = course_of_pool(now.name);
            f.judged = judgements_.of_pool(now.name);
            known.seconds = out_.change.seconds;
            f.known = std::move(known);
            complete(f);
            insert(std::move(f));
        }
    }

    [[nodiscard]] std::vector<double> course_of_pool(const std::string& name) const {
        std::vector<double> course;
        for (const snapshot* s : inputs_) {
            const auto found =
                std::find_if(s->pools.begin(), s->pools.end(), [&](const pool_totals& p) { return p.name == name; });
            course.push_back(found == s->pools.end() ? 0 : static_cast<double>(found->in_use * found->object_bytes));
        }
        return course;
    }

    void find_retention() {
        if (!is_one_session(before(), after())) { return; }
        finding f;
        f.kind = finding_kind::process;
        f.key = "process";
        f.known.kind = finding_kind::process;
        f.known.process = gather_process(before(), after(), out_.change);
        f.known.is_same_session = f.known.is_between = true;
        f.known.seconds = out_.change.seconds;
        const process_facts& p = f.known.process;
        f.known.grown_bytes = p.resident_growth() - std::max(0.0, p.live_after - p.live_before);
        f.known.grown_error = p.live_error;
        f.known.live_bytes = static_cast<double>(p.resident_after);
        f.known.is_significant = f.known.grown_bytes > 2 * p.live_error;
        f.sure = p.live_error > 0 ? certainty::sampled : certainty::every_block;
        for (const snapshot* s : inputs_) { f.course.push_back(static_cast<double>(s->info.resident_bytes)); }
        complete(f);
        if (f.likely_fix() != nullptr && f.bytes >= out_.options.threshold_bytes) { insert(std::move(f)); }
    }

    // Findings about pools and the process have no score; they stand before the first that grew less.
    void insert(finding f) {
        const auto smaller = std::find_if(out_.findings.begin(), out_.findings.end(),
                                          [&](const finding& other) { return other.bytes < f.bytes; });
        out_.findings.insert(smaller, std::move(f));
    }

    const std::vector<const snapshot*>& inputs_;
    judgements judgements_;
    attribution out_;
};

}  // namespace

const hint* finding::likely_fix() const noexcept {
    const auto first = std::find_if(hints.begin(), hints.end(), [](const hint& h) { return h.kind != hint_kind::measure; });
    return first == hints.end() ? nullptr : &*first;
}

bool finding::is_to_wait_for() const noexcept {
    const hint* const likely = likely_fix();
    return likely != nullptr && likely->kind == hint_kind::wait;
}

const char* to_string(finding_kind kind) noexcept {
    return kind == finding_kind::site ? "site" : kind == finding_kind::pool ? "pool" : "process";
}

const char* to_string(certainty sure) noexcept {
    return sure == certainty::exact_counter ? "exact_counter" : sure == certainty::every_block ? "every_block" : "sampled";
}

const char* to_string(onset_basis basis) noexcept {
    return basis == onset_basis::none ? "none" : basis == onset_basis::first_block ? "first_block" : "change_point";
}

result<attribution> attribute(const std::vector<const snapshot*>& inputs, const attribution_options& options) {
    if (inputs.size() < 2) { return fail(error_code::invalid_argument, "a report needs two snapshots or more"); }
    for (std::size_t i = 1; i + 1 < inputs.size(); ++i) {  // diff() checks the first and the last
        if (auto checked = validate(*inputs[i]); !checked) {
            return fail(error_code::invalid_argument, checked.error().what, "DURING: " + checked.error().where);
        }
    }
    return attributor{inputs, options}.run();
}

}  // namespace memwatch::inline v1
