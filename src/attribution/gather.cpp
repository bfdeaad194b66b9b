// SPDX-License-Identifier: Apache-2.0
#include "attribution/gather.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include <memwatch/model/site_name.hpp>

namespace memwatch::inline v1 {
namespace {

constexpr std::uint32_t nobody = 0xFFFF'FFFF;
constexpr double share_of_pool = 0.25;  // of a site's growth: from there on the pool explains it
constexpr std::size_t kept_hand_offs = 3;
constexpr double most_sequences = 2;  // live blocks; more are many vectors

// Sites of one snapshot by what machines call them.
class site_index {
public:
    site_index(const snapshot& s, const std::unordered_map<std::string, std::uint32_t>& finding_of)
        : finding_of_site_(s.sites.size(), nobody) {
        for (std::uint32_t i = 0; i < s.sites.size(); ++i) {
            const auto found = finding_of.find(site_key(s, s.sites[i]));
            if (found != finding_of.end()) { finding_of_site_[i] = found->second; }
        }
    }

    [[nodiscard]] std::uint32_t finding_of(std::uint32_t site) const { return finding_of_site_[site]; }

private:
    std::vector<std::uint32_t> finding_of_site_;
};

double at_least_zero(double value) { return std::max(0.0, value); }

// Upper bound of the bucket in which nine of ten frees lie; +inf = the last bucket; 0 = no frees.
double nine_of_ten_seconds(const double (&objects)[lifetime_bucket_count]) {
    double all = 0;
    for (const double each : objects) { all += at_least_zero(each); }
    if (all <= 0) { return 0; }
    double seen = 0;
    for (std::size_t i = 0; i + 1 < lifetime_bucket_count; ++i) {
        seen += at_least_zero(objects[i]);
        if (seen >= 0.9 * all) { return static_cast<double>(lifetime_bounds_ns[i]) / 1e9; }
    }
    return std::numeric_limits<double>::infinity();
}

// Adds up what one finding's blocks tell.
struct record_sums {
    std::vector<std::uint64_t> births;
    double bytes{};
    double untraced_bytes{};
    struct of_thread {
        double bytes{};
        double blocks{};
    };
    std::unordered_map<std::uint32_t, of_thread> threads;
    std::uint64_t oldest_birth_ns{std::numeric_limits<std::uint64_t>::max()};
};

class gatherer {
public:
    gatherer(const std::vector<const snapshot*>& inputs, const delta& change, const std::vector<row_indices>& findings)
        : inputs_(inputs), change_(change), findings_(findings), is_between_(is_one_session(*inputs.front(), *inputs.back())) {
        out_.resize(findings.size());
        sums_.resize(findings.size());
        lifetimes_.resize(findings.size());
        for (std::uint32_t i = 0; i < findings.size(); ++i) {
            for (const std::size_t row : findings[i]) { finding_of_.emplace(change.rows[row].key, i); }
        }
    }

    std::vector<gathered> run() {
        for (std::uint32_t i = 0; i < findings_.size(); ++i) { describe(i); }
        for (std::size_t input = 0; input < inputs_.size(); ++input) { add_sites(input); }
        add_records();
        for (std::uint32_t i = 0; i < findings_.size(); ++i) { finish(i); }
        note_companions();
        return std::move(out_);
    }

private:
    [[nodiscard]] const snapshot& before() const { return *inputs_.front(); }
    [[nodiscard]] const snapshot& after() const { return *inputs_.back(); }
    [[nodiscard]] const delta_row& leader(std::uint32_t i) const { return change_.rows[findings_[i].front()]; }

    void describe(std::uint32_t i) {
        facts& f = out_[i].known;
        const delta_row& row = leader(i);
        f.code = read_stack(row.stack);
        f.has_names = !f.code.user_function.empty();
        f.function = row.name;
        f.type = row.type;
        f.tag = row.tag;
        f.is_tagged = !row.tag.empty() && row.tag != "untagged";
        f.seconds = change_.seconds;
        f.is_between = f.is_same_session = is_between_;
        f.has_records = !after().live.empty();
        f.is_exact =
            std::all_of(findings_[i].begin(), findings_[i].end(), [&](std::size_t r) { return change_.rows[r].is_exact; });
        double variance = 0;
        double steady = 0;
        for (const std::size_t r : findings_[i]) {
            const delta_row& each = change_.rows[r];
            f.grown_bytes += each.bytes;
            f.grown_objects += each.objects;
            variance += each.bytes_standard_error * each.bytes_standard_error;
            steady += each.steady_bytes;
            f.live_bytes += each.after.live.bytes;
            f.live_objects += each.after.live.objects;
            out_[i].samples += each.after.live.samples;
            f.oldest_age_ns = std::max(f.oldest_age_ns, each.after.oldest_age_ns);
        }
        f.grown_error = std::sqrt(variance);
        f.is_significant = f.is_exact || std::abs(f.grown_bytes) > 2 * f.grown_error;
        f.samples = out_[i].samples;
        const bool is_course_known = (is_between_ && f.has_records) || inputs_.size() > 2;
        if (is_course_known && f.grown_bytes > 0) { f.steady_share = std::clamp(steady / f.grown_bytes, 0.0, 1.0); }
        out_[i].course.assign(inputs_.size(), std::numeric_limits<double>::quiet_NaN());
        out_[i].first_snapshot = inputs_.size() - 1;
    }

    // Lifecycle totals: of AFTER, less BEFORE's where both count the same session.
    void add_sites(std::size_t input) {
        const snapshot& s = *inputs_[input];
        const site_index index(s, finding_of_);
        for (std::uint32_t i = 0; i < s.sites.size(); ++i) {
            const std::uint32_t finding = index.finding_of(i);
            if (finding == nobody) { continue; }
            const site& each = s.sites[i];
            if (input + 1 == inputs_.size()) {
                add_lifecycle(finding, each, 1);
                note_first_seen(out_[finding], each);
                out_[finding].known.is_truncated |= s.stacks[each.stack].is_truncated;
                finding_of_site_.resize(s.sites.size(), nobody);
                finding_of_site_[i] = finding;
            } else if (input == 0 && is_between_) {
                add_lifecycle(finding, each, -1);
            }
        }
        take_course(input);
        for (gathered& g : out_) {
            if (g.course[input] > 0) { g.first_snapshot = std::min(g.first_snapshot, input); }
        }
    }

    // The delta has matched the rows of every input, also where one is of another build and knows them under other keys.
    void take_course(std::size_t input) {
        for (std::size_t i = 0; i < out_.size(); ++i) {
            double& bytes = out_[i].course[input] = 0;
            for (const std::size_t r : findings_[i]) { bytes += live_bytes_at(change_.rows[r], input); }
        }
    }

    [[nodiscard]] double live_bytes_at(const delta_row& row, std::size_t input) const {
        if (input == 0) { return row.before.live.bytes; }
        return input + 1 == inputs_.size() ? row.after.live.bytes : row.during_bytes[input - 1];
    }

    void add_lifecycle(std::uint32_t finding, const site& each, int sign) {
        facts& f = out_[finding].known;
        f.born_bytes += sign * each.allocated.bytes;
        f.born_objects += sign * each.allocated.objects;
        f.freed_bytes += sign * each.freed.bytes;
        f.freed_elsewhere_bytes += sign * each.freed_by_other_thread.bytes;
        // Counts of AFTER are not below BEFORE's, and AFTER comes last: what underflows in between comes back.
        f.born_samples += static_cast<std::uint64_t>(sign) * each.allocated.samples;
        f.freed_samples += static_cast<std::uint64_t>(sign) * each.freed.samples;
        if (sign < 0) {
            return;
        }  // of lifetimes, all since the start: how long its blocks live is no matter of the time between
        for (std::size_t b = 0; b < lifetime_bucket_count; ++b) { lifetimes_[finding].objects[b] += each.lifetimes.objects[b]; }
    }

    void note_first_seen(gathered& g, const site& each) const {
        if (each.cohorts.empty() || after().info.epoch_ns == 0) { return; }
        const cohort& first = each.cohorts.front();
        const std::uint64_t begin = first.epoch * after().info.epoch_ns;  // epochs count from time 0, as births do
        if (g.first_seen_ns == 0 || begin < g.first_seen_ns) {
            g.first_seen_ns = begin;
            g.is_first_seen_late = first.is_merged;
        }
    }

    void add_records() {
        if (finding_of_site_.empty()) { return; }
        for (const live_record& r : after().live) {
            const std::uint32_t finding = finding_of_site_[r.site];
            if (finding != nobody) { add_record(sums_[finding], r); }
        }
    }

    void add_record(record_sums& sums, const live_record& r) const {
        if (r.birth_ns != 0) {  // else unknown
            sums.births.push_back(r.birth_ns);
            sums.oldest_birth_ns = std::min(sums.oldest_birth_ns, r.birth_ns);
        }
        if (is_between_ && r.birth_ns <= before().info.taken_ns) { return; }  // below: of what survived
        sampled_totals one;
        one.add(r.size_bytes, r.interval_bytes);
        sums.bytes += one.bytes;
        if (!r.trace.is_valid()) { sums.untraced_bytes += one.bytes; }
        auto& thread = sums.threads[r.thread];
        thread.bytes += one.bytes;
        thread.blocks += one.objects;
    }

    void finish(std::uint32_t i) {
        gathered& g = out_[i];
        facts& f = g.known;
        record_sums& sums = sums_[i];
        for (double* value : {&f.born_bytes, &f.born_objects, &f.freed_bytes, &f.freed_elsewhere_bytes}) {
            *value = at_least_zero(*value);
        }
        f.normal_lifetime_seconds = nine_of_ten_seconds(lifetimes_[i].objects);
        if (sums.bytes > 0) { f.untraced_share = sums.untraced_bytes / sums.bytes; }
        count_threads(f, sums);
        take_hand_offs(f, sums);
        take_pool(f);
        take_tag(f);
        g.has_live = !sums.births.empty();
        if (g.has_live) { g.oldest_birth_ns = sums.oldest_birth_ns; }
        g.began = estimate_onset(std::move(sums.births), after().info.taken_ns);
    }

    void count_threads(facts& f, const record_sums& sums) const {
        double ended_bytes = 0;
        double ended_blocks = 0;
        for (const auto& [thread, part] : sums.threads) {
            ++f.threads.threads;
            const thread_info& info = after().threads[thread];
            if (info.is_alive || info.tid == 0) { continue; }
            ++f.threads.ended;
            ended_bytes += part.bytes;
            ended_blocks += part.blocks;
        }
        if (sums.bytes > 0) { f.threads.ended_share = ended_bytes / sums.bytes; }
        if (f.threads.ended > 0) { f.threads.blocks_each = ended_blocks / static_cast<double>(f.threads.ended); }
        for (const thread_info& each : after().threads) { f.threads.ended_in_all += !each.is_alive && each.tid != 0; }
    }

    // Where the makers' blocks go. Threads that free each other's blocks share a container; a queue has two ends.
    void take_hand_offs(facts& f, const record_sums& sums) const {
        const auto is_maker = [&](std::uint64_t tid) {
            return tid != 0 && std::any_of(sums.threads.begin(), sums.threads.end(),
                                           [&](const auto& made) { return after().threads[made.first].tid == tid; });
        };
        double all = 0;
        double mutual = 0;
        for (const hand_off& each : after().hand_offs) {
            if (!is_maker(each.from_tid)) { continue; }
            all += each.freed.bytes;
            if (is_maker(each.to_tid)) { mutual += each.freed.bytes; }
            if (f.hand_offs.size() < kept_hand_offs) { f.hand_offs.push_back(each); }
        }
        if (all > 0) { f.mutual_share = mutual / all; }
    }

    // The pool whose storage or objects in use this finding is, when it hands out more than before.
    void take_pool(facts& f) const {
        for (facts& pool : gather_pools(before(), after())) {
            const pool_totals& now = pool.pool.after;
            const bool is_storage = f.is_tagged && ((!now.upstream_is_pool && now.upstream == f.tag) || now.tag == f.tag);
            const auto taken = static_cast<double>((now.in_use - pool.pool.before.in_use) * now.object_bytes);
            if (!is_storage || taken < share_of_pool * f.grown_bytes) { continue; }
            f.has_pool = true;
            f.pool = std::move(pool.pool);
            return;
        }
    }

    void take_tag(facts& f) const {
        const auto counted = [&](const snapshot& s) -> const tag_totals* {
            const auto found = std::find_if(s.tags.begin(), s.tags.end(), [&](const tag_totals& t) { return t.name == f.tag; });
            return found == s.tags.end() ? nullptr : &*found;
        };
        const tag_totals* const now = counted(after());
        if (!f.is_tagged || now == nullptr || now->allocations == 0) { return; }
        const tag_totals* const then = counted(before());
        f.has_tag_counter = true;
        f.tag_grown_bytes =
            static_cast<double>(now->live_bytes()) - (then == nullptr ? 0 : static_cast<double>(then->live_bytes()));
    }

    // What holds an object is often made in the same function: the map's node beside the object in it. Nodes are small, so that
    // sampling may show few of them: any growth counts. Many vectors are members of what leaks; one alone may hold all of it.
    void note_companions() {
        for (const delta_row& row : change_.rows) {
            const container_use use = read_stack(row.stack);
            const bool is_node =
                use.holder == container::tree || use.holder == container::hash || use.holder == container::list;
            const bool is_sequence = use.holder == container::vector || use.holder == container::deque;
            const bool is_one_sequence = is_sequence && row.is_significant() && row.after.live.objects <= most_sequences;
            if (row.bytes <= 0 || use.user_function.empty() || !(is_node || is_one_sequence)) { continue; }
            for (std::size_t i = 0; i < out_.size(); ++i) {
                if (std::find(findings_[i].begin(), findings_[i].end(), index_of(row)) == findings_[i].end()) {
                    note_companion(out_[i].known, use, row.tag);
                }
            }
        }
    }

    [[nodiscard]] std::size_t index_of(const delta_row& row) const {
        return static_cast<std::size_t>(&row - change_.rows.data());
    }

    static void note_companion(facts& f, const container_use& use, const std::string& tag) {
        if (f.companion != container::none || f.code.user_function != use.user_function || f.tag != tag) { return; }
        f.companion = use.holder;
        f.companion_called = use.called;
    }

    const std::vector<const snapshot*>& inputs_;
    const delta& change_;
    const std::vector<row_indices>& findings_;
    const bool is_between_;
    std::unordered_map<std::string, std::uint32_t> finding_of_;  // by site key
    std::vector<std::uint32_t> finding_of_site_;                 // of AFTER; empty = none of its sites is wanted
    std::vector<record_sums> sums_;
    std::vector<lifetime_histogram> lifetimes_;
    std::vector<gathered> out_;
};

std::string checkout_site(const snapshot& s, const pool_totals& pool) {
    if (pool.oldest_frame == 0 || pool.oldest_frame > s.frames.size()) { return {}; }
    return site_name(std::vector<frame>{s.frames[pool.oldest_frame - 1]}, s.modules);
}

std::uint64_t sum_of(const std::vector<named_value>& values) {
    std::uint64_t sum = 0;
    for (const named_value& each : values) { sum += each.value; }
    return sum;
}

}  // namespace

bool is_one_session(const snapshot& before, const snapshot& after) noexcept {
    return !before.info.session.empty() && before.info.session == after.info.session;
}

std::vector<gathered> gather_sites(const std::vector<const snapshot*>& inputs, const delta& change,
                                   const std::vector<row_indices>& findings) {
    return gatherer{inputs, change, findings}.run();
}

std::vector<facts> gather_pools(const snapshot& before, const snapshot& after) {
    std::vector<facts> grown;
    for (const pool_totals& now : after.pools) {
        facts f;
        f.kind = finding_kind::pool;
        f.has_pool = f.is_exact = f.is_significant = true;
        f.is_same_session = f.is_between = is_one_session(before, after);
        const auto then =
            std::find_if(before.pools.begin(), before.pools.end(), [&](const pool_totals& p) { return p.name == now.name; });
        if (then != before.pools.end()) { f.pool.before = *then; }
        if (now.in_use <= f.pool.before.in_use) { continue; }
        f.pool.after = now;
        f.pool.oldest_site = checkout_site(after, now);
        if (now.oldest_route != 0 && now.oldest_route < after.routes.size()) {
            f.pool.oldest_route = after.routes[now.oldest_route];
        }
        f.grown_objects = static_cast<double>(now.in_use - f.pool.before.in_use);
        f.grown_bytes = f.grown_objects * static_cast<double>(now.object_bytes);
        f.live_objects = static_cast<double>(now.in_use);
        f.live_bytes = f.live_objects * static_cast<double>(now.object_bytes);
        f.oldest_age_ns = now.oldest_checkout_ns;
        f.tag = now.tag.empty() ? now.upstream : now.tag;
        f.function = f.pool.oldest_site;
        grown.push_back(std::move(f));
    }
    return grown;
}

process_facts gather_process(const snapshot& before, const snapshot& after, const delta& change) {
    return {before.info.resident_bytes,    after.info.resident_bytes,         change.total.before.live.bytes,
            change.total.after.live.bytes, change.total.bytes_standard_error, sum_of(before.self_bytes),
            sum_of(after.self_bytes)};
}

}  // namespace memwatch::inline v1
