// SPDX-License-Identifier: Apache-2.0
#include "serve/metrics.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <sstream>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include <memwatch/model/site_name.hpp>

#include "model/sampling_stop.hpp"
#include "serve/openmetrics.hpp"
#include "serve/utf8.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using label_list = std::vector<ClientMetric::Label>;

constexpr std::size_t max_label_bytes = 200;
constexpr std::string_view other = "other";

std::string label_value(std::string_view text) { return to_utf8(text, max_label_bytes); }

MetricFamily family(const char* name, const char* help, MetricType type) {
    MetricFamily out;
    out.name = name;
    out.help = help;
    out.type = type;
    return out;
}

// Non-finite values would be legal, but no sum over them means anything.
double finite(double value) { return std::isfinite(value) ? value : 0.0; }

void add(MetricFamily& to, label_list labels, double value) {
    ClientMetric& metric = to.metric.emplace_back();
    metric.label = std::move(labels);
    (to.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = finite(value);
}

void add_single(std::vector<MetricFamily>& out, const char* name, const char* help, MetricType type, double value) {
    add(out.emplace_back(family(name, help, type)), {}, value);
}

// Rows under unique names: row i of the input goes to group[i]; groups beyond `max` share the last one, `other`.
struct grouping {
    std::vector<std::string> names;
    std::vector<std::size_t> group;
};

template <class Rows>
grouping group_by_name(const Rows& rows, std::size_t max) {
    grouping out;
    std::unordered_map<std::string, std::size_t> index;
    for (const auto& row : rows) {
        std::string name = label_value(row.name);
        if (index.count(name) == 0 && index.size() >= max) { name = other; }
        const auto [it, is_new] = index.emplace(name, out.names.size());
        if (is_new) { out.names.push_back(name); }
        out.group.push_back(it->second);
    }
    return out;
}

double as_double(std::uint64_t value) { return static_cast<double>(value); }

// --- exact tag counters

struct tag_metric {
    const char* name;
    const char* help;
    MetricType type;
    double (*value)(const tag_totals&);
};

constexpr tag_metric tag_metrics[] = {
    {"memwatch_live_bytes", "Bytes alive under the tag, exact.", MetricType::Gauge,
     [](const tag_totals& t) { return as_double(t.live_bytes()); }},
    {"memwatch_live_objects", "Allocations alive under the tag, exact.", MetricType::Gauge,
     [](const tag_totals& t) { return as_double(t.live_objects()); }},
    {"memwatch_allocated_bytes_total", "Bytes allocated under the tag, exact.", MetricType::Counter,
     [](const tag_totals& t) { return as_double(t.allocated_bytes); }},
    {"memwatch_allocations_total", "Allocations under the tag, exact.", MetricType::Counter,
     [](const tag_totals& t) { return as_double(t.allocations); }},
    {"memwatch_freed_bytes_total", "Bytes freed under the tag, exact.", MetricType::Counter,
     [](const tag_totals& t) { return as_double(t.freed_bytes); }},
    {"memwatch_frees_total", "Frees under the tag, exact.", MetricType::Counter,
     [](const tag_totals& t) { return as_double(t.frees); }},
};

// Sums in integers, so that the figures stay exact.
std::vector<tag_totals> sum_tags(const snapshot& s, const grouping& tags) {
    std::vector<tag_totals> out(tags.names.size());
    for (std::size_t i = 0; i < s.tags.size(); ++i) {
        tag_totals& into = out[tags.group[i]];
        into.allocated_bytes += s.tags[i].allocated_bytes;
        into.allocations += s.tags[i].allocations;
        into.freed_bytes += s.tags[i].freed_bytes;
        into.frees += s.tags[i].frees;
    }
    return out;
}

void add_tags(std::vector<MetricFamily>& out, const snapshot& s, const grouping& tags) {
    const std::vector<tag_totals> sums = sum_tags(s, tags);
    for (const tag_metric& m : tag_metrics) {
        MetricFamily& to = out.emplace_back(family(m.name, m.help, m.type));
        for (std::size_t i = 0; i < sums.size(); ++i) { add(to, {{"tag", tags.names[i]}}, m.value(sums[i])); }
    }
}

// --- estimates by tag, from the sites

struct tag_estimates {
    double cross_thread_frees{};
    lifetime_histogram lifetimes;
};

std::vector<tag_estimates> sum_sites_by_tag(const snapshot& s, const grouping& tags) {
    std::vector<tag_estimates> out(tags.names.size());
    for (const site& from : s.sites) {
        if (from.tag >= tags.group.size()) { continue; }
        tag_estimates& into = out[tags.group[from.tag]];
        into.cross_thread_frees += from.freed_by_other_thread.objects;
        into.lifetimes.sum_seconds += from.lifetimes.sum_seconds;
        for (std::size_t i = 0; i < lifetime_bucket_count; ++i) { into.lifetimes.objects[i] += from.lifetimes.objects[i]; }
    }
    return out;
}

ClientMetric::Histogram to_histogram(const lifetime_histogram& from) {
    ClientMetric::Histogram out;
    double cumulative = 0;
    for (std::size_t i = 0; i < lifetime_bucket_count; ++i) {
        cumulative += from.objects[i];
        const bool is_last = i + 1 == lifetime_bucket_count;
        const double bound =
            is_last ? std::numeric_limits<double>::infinity() : static_cast<double>(lifetime_bounds_ns[i]) / 1e9;
        out.bucket.push_back({static_cast<std::uint64_t>(std::llround(cumulative)), bound});  // weighted, so rounded
    }
    out.sample_count = out.bucket.back().cumulative_count;
    out.sample_sum = finite(from.sum_seconds);
    return out;
}

void add_estimates_by_tag(std::vector<MetricFamily>& out, const snapshot& s, const grouping& tags) {
    const std::vector<tag_estimates> sums = sum_sites_by_tag(s, tags);
    MetricFamily frees =
        family("memwatch_cross_thread_frees_total",
               "Frees by another thread than the one that allocated, estimated from samples.", MetricType::Counter);
    MetricFamily lifetimes =
        family("memwatch_object_lifetime_seconds", "Time from allocation to free of freed blocks, estimated from samples.",
               MetricType::Histogram);
    for (std::size_t i = 0; i < sums.size(); ++i) {
        const label_list labels{{"tag", tags.names[i]}};
        add(frees, labels, sums[i].cross_thread_frees);
        ClientMetric::Histogram histogram = to_histogram(sums[i].lifetimes);
        if (histogram.sample_count == 0) { continue; }  // 14 lines of zeros a tag that nothing sampled was freed under
        ClientMetric& metric = lifetimes.metric.emplace_back();
        metric.label = labels;
        metric.histogram = std::move(histogram);
    }
    out.push_back(std::move(frees));
    out.push_back(std::move(lifetimes));
}

// --- sites

// Indices of the `max` sites with the most live bytes, largest first; ties by index, so that equal pages stay equal.
std::vector<std::size_t> top_sites(const snapshot& s, std::size_t max) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < s.sites.size(); ++i) {
        if (s.sites[i].live.bytes > 0) { order.push_back(i); }
    }
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(max, order.size()));
    std::partial_sort(order.begin(), end, order.end(), [&](std::size_t a, std::size_t b) {
        return s.sites[a].live.bytes != s.sites[b].live.bytes ? s.sites[a].live.bytes > s.sites[b].live.bytes : a < b;
    });
    order.erase(end, order.end());
    return order;
}

label_list labels_of_site(const snapshot& s, const site& of, const grouping& tags, const metrics_options& options) {
    const std::string function = options.name_site ? options.name_site(s, of) : "unknown";
    const std::string tag = of.tag < tags.group.size() ? tags.names[tags.group[of.tag]] : std::string(other);
    return {{"site", site_label(s, of)}, {"function", label_value(function)}, {"tag", tag}};
}

void add_sites(std::vector<MetricFamily>& out, const snapshot& s, const grouping& tags, const metrics_options& options) {
    MetricFamily& to = out.emplace_back(family("memwatch_site_live_bytes",
                                               "Live bytes of the largest allocation sites, estimated from samples; "
                                               "everything else is site=\"other\".",
                                               MetricType::Gauge));
    double rest = 0;
    for (const site& each : s.sites) { rest += finite(each.live.bytes); }
    std::unordered_map<std::string, std::size_t> seen;  // site label -> metric; equal labels are one series
    for (const std::size_t i : top_sites(s, options.max_sites)) {
        const site& each = s.sites[i];
        rest -= finite(each.live.bytes);
        const std::string id = site_label(s, each);
        const auto [it, is_new] = seen.emplace(id, to.metric.size());
        if (!is_new) {
            to.metric[it->second].gauge.value += finite(each.live.bytes);
            continue;
        }
        add(to, labels_of_site(s, each, tags, options), each.live.bytes);
    }
    const std::string name(other);
    add(to, {{"site", name}, {"function", name}, {"tag", name}}, std::max(0.0, rest));
}

// --- pools

enum class of_one_name { sum, maximum };  // what becomes of pools that share a name

struct pool_metric {
    const char* name;
    const char* help;
    MetricType type;
    std::uint64_t (*value)(const pool_totals&);
    double units{1};  // of `value` in one of the metric's
    of_one_name joined{of_one_name::sum};
};

constexpr pool_metric pool_metrics[] = {
    {"memwatch_pool_capacity", "Objects the pool has storage for.", MetricType::Gauge,
     [](const pool_totals& p) { return p.capacity; }},
    {"memwatch_pool_in_use", "Objects taken from the pool.", MetricType::Gauge, [](const pool_totals& p) { return p.in_use; }},
    {"memwatch_pool_free", "Objects the pool can hand out without growing.", MetricType::Gauge,
     [](const pool_totals& p) { return p.free(); }},
    {"memwatch_pool_high_water", "Most objects in use at once.", MetricType::Gauge,
     [](const pool_totals& p) { return p.high_water; }},
    {"memwatch_pool_acquires_total", "Objects asked for.", MetricType::Counter,
     [](const pool_totals& p) { return p.acquires; }},
    {"memwatch_pool_hits_total", "Acquires served without growing.", MetricType::Counter,
     [](const pool_totals& p) { return p.hits; }},
    {"memwatch_pool_acquire_failures_total", "Acquires refused because the pool was exhausted.", MetricType::Counter,
     [](const pool_totals& p) { return p.acquire_failures; }},
    {"memwatch_pool_misuses_total", "Double releases, foreign pointers, objects outstanding at destruction.",
     MetricType::Counter, [](const pool_totals& p) { return p.misuses; }},
    {"memwatch_pool_waiters", "Threads that wait for an object now.", MetricType::Gauge,
     [](const pool_totals& p) { return p.waiters; }},
    {"memwatch_pool_waits_total", "Acquires that waited for a release.", MetricType::Counter,
     [](const pool_totals& p) { return p.waits; }},
    {"memwatch_pool_wait_seconds_total", "Time spent waiting for objects.", MetricType::Counter,
     [](const pool_totals& p) { return p.wait_ns; }, 1e9},
    {"memwatch_pool_oldest_checkout_seconds", "Age of the object that is out longest; 0 when none is, or nobody knows.",
     MetricType::Gauge, [](const pool_totals& p) { return p.oldest_checkout_ns; }, 1e9, of_one_name::maximum},
    {"memwatch_pool_idle_bytes", "Objects that the pool holds and nobody uses.", MetricType::Gauge,
     [](const pool_totals& p) { return p.idle_bytes(); }},
};

void add_pools(std::vector<MetricFamily>& out, const snapshot& s, std::size_t max_pools) {
    const grouping pools = group_by_name(s.pools, max_pools);
    for (const pool_metric& m : pool_metrics) {
        std::vector<std::uint64_t> sums(pools.names.size());
        for (std::size_t i = 0; i < s.pools.size(); ++i) {
            std::uint64_t& into = sums[pools.group[i]];
            const std::uint64_t value = m.value(s.pools[i]);
            into = m.joined == of_one_name::sum ? into + value : std::max(into, value);
        }
        MetricFamily& to = out.emplace_back(family(m.name, m.help, m.type));
        for (std::size_t i = 0; i < sums.size(); ++i) { add(to, {{"pool", pools.names[i]}}, as_double(sums[i]) / m.units); }
    }
}

// --- verdicts

// Of the levels that are worth a series; a site or pool has all of its own whatever it is at the moment, so that none comes or
// goes with a change of mind.
constexpr verdict_class site_classes[] = {verdict_class::suspect_growth, verdict_class::leak_retained,
                                          verdict_class::leak_orphan, verdict_class::leak_cycle};
constexpr verdict_class pool_classes[] = {verdict_class::pool_leak};

std::string class_label(verdict_class of) { return std::string(word_of(of)); }

// Leaks and suspects, the `max` that matter most.
std::vector<const verdict*> top_accused(const snapshot& s, std::size_t max) {
    std::vector<const verdict*> out;
    for (const verdict& each : s.verdicts) {
        if (level_of(each.kind) != verdict_level::none) { out.push_back(&each); }
    }
    std::stable_sort(out.begin(), out.end(), [](const verdict* a, const verdict* b) {
        const auto rank = [](const verdict* v) { return std::tuple(level_of(v->kind), v->severity, v->retained_bytes); };
        return rank(a) > rank(b);
    });
    out.resize(std::min(max, out.size()));
    return out;
}

label_list labels_of(const snapshot& s, const verdict& of, const grouping& tags, const metrics_options& options) {
    if (of.subject == verdict_subject::site) { return labels_of_site(s, s.sites[of.index], tags, options); }
    const pool_totals& pool = s.pools[of.index];
    return {{"site", "pool"}, {"function", label_value(pool.name)}, {"tag", label_value(pool.tag)}};
}

void add_verdict(MetricFamily& to, const label_list& labels, const verdict& of) {
    const auto add_class = [&](verdict_class each) {
        label_list with_class = labels;
        with_class.push_back({"class", class_label(each)});
        add(to, std::move(with_class), each == of.kind ? of.confidence : 0);
    };
    if (of.subject == verdict_subject::site) {
        for (const verdict_class each : site_classes) { add_class(each); }
    } else {
        for (const verdict_class each : pool_classes) { add_class(each); }
    }
}

// What an alert says beside the class, and its grade: figures of a verdict, whatever class it is of at the moment.
struct accusation_metric {
    const char* name;
    const char* help;
    double (*value)(const verdict&);
};

constexpr accusation_metric accusation_metrics[] = {
    {"memwatch_verdict_severity", "How much it matters that this site or pool is accused: 1 info, 2 warning, 3 critical.",
     [](const verdict& v) { return static_cast<double>(v.severity); }},
    {"memwatch_verdict_retained_bytes", "What this site or pool keeps, estimated from samples unless it is escalated.",
     [](const verdict& v) { return v.retained_bytes; }},
    {"memwatch_verdict_growth_bytes_per_second", "The rate at which that grows.",
     [](const verdict& v) { return v.rate_bytes_per_second; }},
};

void add_accusations(std::vector<MetricFamily>& out, const std::vector<std::pair<label_list, const verdict*>>& accused) {
    for (const accusation_metric& m : accusation_metrics) {
        MetricFamily& to = out.emplace_back(family(m.name, m.help, MetricType::Gauge));
        for (const auto& [labels, each] : accused) { add(to, labels, m.value(*each)); }
    }
}

// The sites' verdicts, then how many there are of each class; the latter also while all is well.
void add_verdicts(std::vector<MetricFamily>& out, const snapshot& s, const grouping& tags, const metrics_options& options) {
    MetricFamily& scores = out.emplace_back(family("memwatch_verdict",
                                                   "How sure it is that a site or pool (site=\"pool\") is of that class; those "
                                                   "called a leak or a suspect, the ones that matter most.",
                                                   MetricType::Gauge));
    std::set<std::string> seen;  // two sites of one label, two pools of one name: the first is the weightier
    std::vector<std::pair<label_list, const verdict*>> shown;
    for (const verdict* const each : top_accused(s, options.max_sites)) {
        label_list labels = labels_of(s, *each, tags, options);
        if (!seen.insert(labels[0].value + '\0' + labels[1].value).second) { continue; }
        add_verdict(scores, labels, *each);
        shown.emplace_back(std::move(labels), each);
    }
    add_accusations(out, shown);
    MetricFamily& counts = out.emplace_back(
        family("memwatch_leak_suspects", "Sites and pools that are called a leak or a suspect.", MetricType::Gauge));
    for (std::size_t i = 0; i < verdict_class_count; ++i) {
        const auto kind = static_cast<verdict_class>(i);
        if (level_of(kind) == verdict_level::none) { continue; }
        const auto count =
            std::count_if(s.verdicts.begin(), s.verdicts.end(), [&](const verdict& v) { return v.kind == kind; });
        add(counts, {{"class", class_label(kind)}}, static_cast<double>(count));
    }
}

// --- memwatch itself

void add_named(std::vector<MetricFamily>& out, const char* name, const char* help, const char* label,
               const std::vector<named_value>& values) {
    const grouping names = group_by_name(values, 50);
    std::vector<std::uint64_t> sums(names.names.size());
    for (std::size_t i = 0; i < values.size(); ++i) { sums[names.group[i]] += values[i].value; }
    MetricFamily& to = out.emplace_back(family(name, help, MetricType::Counter));
    for (std::size_t i = 0; i < sums.size(); ++i) { add(to, {{label, names.names[i]}}, as_double(sums[i])); }
}

sampled_totals sum_live(const snapshot& s) {
    sampled_totals out;
    for (const site& each : s.sites) { out.add(each.live); }
    return out;
}

void add_heap(std::vector<MetricFamily>& out, const snapshot& s) {
    const sampled_totals live = sum_live(s);
    add_single(out, "memwatch_live_samples", "Sampled blocks that are alive.", MetricType::Gauge, as_double(live.samples));
    const bool is_sampling = why_nothing_is_sampled(s) == nullptr;
    add_single(
        out, "memwatch_sampling",
        "1 while allocations are sampled; 0: paused, preset off or restrained, and estimates of the live heap are left out.",
        MetricType::Gauge, is_sampling ? 1 : 0);
    if (!is_sampling) { return; }
    add_single(out, "memwatch_heap_live_bytes", "Live bytes of everything memwatch sees, estimated from samples.",
               MetricType::Gauge, live.bytes);
    add_single(out, "memwatch_heap_live_standard_error_bytes", "Standard error of memwatch_heap_live_bytes.", MetricType::Gauge,
               live.bytes_standard_error());
}

std::uint64_t activity_of(const snapshot& s, std::string_view name) {
    const auto at = std::find_if(s.activity.begin(), s.activity.end(), [&](const named_value& v) { return v.name == name; });
    return at == s.activity.end() ? 0 : at->value;
}

bool has_activity(const snapshot& s, std::string_view name) {
    return std::any_of(s.activity.begin(), s.activity.end(), [&](const named_value& v) { return v.name == name; });
}

// Where the trace is missing, it says so: two series each, whatever the program does.
void add_attribution(std::vector<MetricFamily>& out, const snapshot& s) {
    MetricFamily& bytes = out.emplace_back(
        family("memwatch_sampled_bytes_total", "Bytes allocated, estimated from samples, by whether a trace context was known.",
               MetricType::Counter));
    add(bytes, {{"context", "trace"}}, as_double(activity_of(s, "traced_bytes")));
    add(bytes, {{"context", "none"}}, as_double(activity_of(s, "untraced_bytes")));
    MetricFamily& objects =
        out.emplace_back(family("memwatch_sampled_objects_total", "The same in objects.", MetricType::Counter));
    add(objects, {{"context", "trace"}}, as_double(activity_of(s, "traced_objects")));
    add(objects, {{"context", "none"}}, as_double(activity_of(s, "untraced_objects")));
    add_single(out, "memwatch_attribution_mismatch_total",
               "Proofs that a block was freed under another tag than it was allocated with; 0 unless a program is wrong.",
               MetricType::Counter, as_double(activity_of(s, "attribution_mismatches")));
}

// What memwatch did, and what it saw of lives that ended.
void add_activity(std::vector<MetricFamily>& out, const snapshot& s) {
    add_single(out, "memwatch_samples_total", "Samples taken.", MetricType::Counter, as_double(activity_of(s, "samples")));
    add_single(out, "memwatch_self_seconds_total", "Time spent on samples, on the program's threads and memwatch's own.",
               MetricType::Counter, as_double(activity_of(s, "self_ns")) * 1e-9);
    add_single(out, "memwatch_escalated_sites", "Suspect sites whose blocks are all recorded.", MetricType::Gauge,
               as_double(activity_of(s, "escalated_sites")));
    add_single(out, "memwatch_escalated_samples_total", "Blocks recorded because their site is suspect.", MetricType::Counter,
               as_double(activity_of(s, "escalated_samples")));
    add_single(out, "memwatch_escalation_bytes", "What the pages of these blocks may take beyond the blocks.",
               MetricType::Gauge, as_double(activity_of(s, "escalation_bytes")));
    add_single(out, "memwatch_lifecycle_events_total", "Births and deaths of sampled blocks that telemetry added up.",
               MetricType::Counter, as_double(activity_of(s, "lifecycle_events")));
    add_attribution(out, s);
    if (activity_of(s, "lifetime_p50_ns") == 0) { return; }  // nothing sampled was freed yet
    add_single(out, "memwatch_short_lived_ratio", "Share of freed blocks that died in the epoch of their birth, estimated.",
               MetricType::Gauge, as_double(activity_of(s, "short_lived_permille")) / 1000);
}

// How the judging goes: a page whose looks stand still tells nothing new.
void add_looks(std::vector<MetricFamily>& out, const snapshot& s) {
    const std::uint64_t looks = activity_of(s, "verdict_looks");
    add_single(out, "memwatch_verdict_looks_total",
               "Looks at every live block and site, one an epoch, that verdicts are made of.", MetricType::Counter,
               as_double(looks));
    if (looks == 0 || s.info.started_unix_ns == 0) { return; }
    add_single(out, "memwatch_verdict_last_look_timestamp_seconds", "When the last look was taken.", MetricType::Gauge,
               as_double(s.info.started_unix_ns) * 1e-9 + as_double(activity_of(s, "verdict_looked_at_ns")) * 1e-9);
    add_single(out, "memwatch_verdict_look_seconds", "How long the last look took.", MetricType::Gauge,
               as_double(activity_of(s, "verdict_look_ns")) * 1e-9);
    add_single(out, "memwatch_verdict_pause_seconds",
               "How far apart looks are at present: an epoch, or more where they are costly.", MetricType::Gauge,
               as_double(activity_of(s, "verdict_pause_ns")) * 1e-9);
}

// All parts in each scrape, so that no series comes or goes with a part that is empty.
void add_footprint(std::vector<MetricFamily>& out, const footprint& where) {
    MetricFamily& parts =
        out.emplace_back(family("memwatch_footprint_bytes",
                                "Where VmRSS is, by the figures that are cheap: the components add up to it. "
                                "What the allocator keeps is in unexplained; /debug/memtrace/footprint tells.",
                                MetricType::Gauge));
    for (const footprint_part part :
         {footprint_part::tracked_live, footprint_part::self, footprint_part::file, footprint_part::shared}) {
        add(parts, {{"component", std::string(word_of(part))}}, as_double(where.bytes_of(part)));
    }
    add(parts, {{"component", "unexplained"}}, static_cast<double>(where.unexplained_bytes));
}

// What was done about it: activity rows "remedy_runs:NAME" and so on.
void add_remedies(std::vector<MetricFamily>& out, const snapshot& s) {
    constexpr struct {
        std::string_view prefix;
        const char* name;
        const char* help;
    } rows[] = {
        {"remedy_runs:", "memwatch_remedy_runs_total", "Calls of what the program registered against leaks and pressure."},
        {"remedy_dry_runs:", "memwatch_remedy_dry_runs_total", "Calls that a dry run stood for."},
        {"remedy_failures:", "memwatch_remedy_failures_total", "Calls that ended with an exception."},
        {"remedy_released_bytes:", "memwatch_remedy_released_bytes_total",
         "By how much the process' resident memory was smaller after calls than before."},
    };
    for (const auto& row : rows) {
        MetricFamily to = family(row.name, row.help, MetricType::Counter);
        for (const named_value& each : s.activity) {
            if (each.name.compare(0, row.prefix.size(), row.prefix) != 0) { continue; }
            add(to, {{"remedy", label_value(each.name.substr(row.prefix.size()))}}, as_double(each.value));
        }
        if (!to.metric.empty()) { out.push_back(std::move(to)); }
    }
}

// What memwatch costs and does less for it: one series a step, so that none comes or goes.
void add_restraint(std::vector<MetricFamily>& out, const snapshot& s) {
    constexpr std::string_view steps[] = {"none", "raised_interval", "counters_only", "off"};
    constexpr std::string_view of_task = "worker_ns_";
    MetricFamily& step = out.emplace_back(family(
        "memwatch_restraint", "What memwatch does less because it cost too much: 1 for the step it is on.", MetricType::Gauge));
    for (std::size_t i = 0; i < std::size(steps); ++i) {
        add(step, {{"step", std::string(steps[i])}}, activity_of(s, "restraint_step") == i ? 1 : 0);
    }
    add_single(out, "memwatch_self_budget_bytes", "What memwatch may hold of what MEMWATCH_BUDGET is for.", MetricType::Gauge,
               as_double(activity_of(s, "own_budget_bytes")));
    add_single(out, "memwatch_self_budgeted_bytes",
               "What it holds of that, at the last look; parts with limits of their own are left out.", MetricType::Gauge,
               as_double(activity_of(s, "own_budgeted_bytes")));
    add_single(out, "memwatch_self_cpu_seconds_total", "CPU time of memwatch's thread and of samples on the program's.",
               MetricType::Counter, as_double(activity_of(s, "own_cpu_ns")) * 1e-9);
    add_single(out, "memwatch_self_cpu_ratio", "The same as a share of one CPU, in the last 10 s.", MetricType::Gauge,
               as_double(activity_of(s, "own_cpu_ppm")) * 1e-6);
    add_single(out, "memwatch_self_cpu_limit_ratio", "Above which memwatch does less; 0 = no limit.", MetricType::Gauge,
               as_double(activity_of(s, "own_cpu_limit_ppm")) * 1e-6);
    MetricFamily& tasks = out.emplace_back(
        family("memwatch_worker_seconds_total", "CPU time of memwatch's thread, by what it was for.", MetricType::Counter));
    for (const named_value& each : s.activity) {
        if (each.name.compare(0, of_task.size(), of_task) != 0) { continue; }
        add(tasks, {{"task", label_value(each.name.substr(of_task.size()))}}, as_double(each.value) * 1e-9);
    }
}

// Where one is written.
void add_black_box(std::vector<MetricFamily>& out, const snapshot& s) {
    if (!has_activity(s, "blackbox_records")) { return; }
    add_single(out, "memwatch_blackbox_records_total", "Records written to the black box: stands still when it is not written.",
               MetricType::Counter, as_double(activity_of(s, "blackbox_records")));
    add_single(out, "memwatch_blackbox_failures_total", "Records and files of the black box that could not be written.",
               MetricType::Counter, as_double(activity_of(s, "blackbox_failures")));
}

void add_history(std::vector<MetricFamily>& out, const snapshot& s) {
    if (!has_activity(s, "history_snapshots")) { return; }
    add_single(out, "memwatch_history_snapshots", "Snapshots of itself that the service has kept of the last 24 hours.",
               MetricType::Gauge, as_double(activity_of(s, "history_snapshots")));
    add_single(out, "memwatch_history_bytes", "Their bytes, in the state folder or in memory.", MetricType::Gauge,
               as_double(activity_of(s, "history_bytes")));
    add_single(out, "memwatch_history_failures_total", "Snapshots that could not be kept.", MetricType::Counter,
               as_double(activity_of(s, "history_failures")));
}

struct memory_metric {
    const char* name;
    const char* help;
    MetricType type;
    const char* label;  // null: none
    struct row {
        const char* activity;
        const char* value;  // of the label
        double units;
    } rows[6];
};
constexpr memory_metric memory_metrics[] = {
    {"memwatch_process_memory_bytes",
     "What of the process is resident, swapped out, or holds its page tables, as the kernel counts it once a second.",
     MetricType::Gauge,
     "kind",
     {{"process_anonymous_bytes", "anonymous", 1},
      {"process_file_bytes", "file", 1},
      {"process_shared_bytes", "shared", 1},
      {"process_swapped_bytes", "swapped", 1},
      {"process_page_table_bytes", "page_tables", 1}}},
    {"memwatch_cgroup_memory_bytes",
     "What the group uses that has the least left below its limit, page cache included.",
     MetricType::Gauge,
     nullptr,
     {{"cgroup_bytes", nullptr, 1}}},
    {"memwatch_cgroup_unreclaimable_bytes",
     "Of it what the kernel cannot take back by itself: what the limit kills for.",
     MetricType::Gauge,
     nullptr,
     {{"cgroup_unreclaimable_bytes", nullptr, 1}}},
    {"memwatch_cgroup_limit_bytes",
     "The limit of that group; absent when there is none.",
     MetricType::Gauge,
     nullptr,
     {{"cgroup_limit_bytes", nullptr, 1}}},
    {"memwatch_cgroup_events_total",
     "How often the process' own group met a limit, as the kernel counts it.",
     MetricType::Counter,
     "event",
     {{"cgroup_high_events", "high", 1},
      {"cgroup_max_events", "max", 1},
      {"cgroup_oom_events", "oom", 1},
      {"cgroup_oom_kill_events", "oom_kill", 1}}},
    {"memwatch_memory_pressure",
     "0 while all is well, 1 when little is left or the kernel reclaims in vain, 2 when the end is near.",
     MetricType::Gauge,
     nullptr,
     {{"pressure_level", nullptr, 1}}},
    {"memwatch_memory_pressure_total",
     "How often it rose to that level.",
     MetricType::Counter,
     "level",
     {{"pressure_some", "some", 1}, {"pressure_critical", "critical", 1}}},
    {"memwatch_pressure_snapshots_total",
     "Snapshots that were to be written because memory got short.",
     MetricType::Counter,
     "result",
     {{"pressure_snapshots", "written", 1}, {"pressure_snapshot_failures", "failed", 1}}},
    {"memwatch_time_to_oom_seconds",
     "When the limit is met if growth goes on as it has; absent unless growth towards it is beyond doubt.",
     MetricType::Gauge,
     nullptr,
     {{"time_to_oom_ms", nullptr, 1e3}}},
    {"memwatch_time_to_oom_least_seconds",
     "The lower end of its 90 % interval.",
     MetricType::Gauge,
     nullptr,
     {{"time_to_oom_least_ms", nullptr, 1e3}}},
};

// What is not among the activity was not read, and has no series.
void add_memory(std::vector<MetricFamily>& out, const snapshot& s) {
    for (const memory_metric& each : memory_metrics) {
        MetricFamily& to = out.emplace_back(family(each.name, each.help, each.type));
        for (const memory_metric::row& row : each.rows) {
            if (row.activity == nullptr || !has_activity(s, row.activity)) { continue; }
            const double value = as_double(activity_of(s, row.activity)) / row.units;
            add(to, each.label == nullptr ? label_list{} : label_list{{each.label, row.value}}, value);
        }
    }
}

void add_self(std::vector<MetricFamily>& out, const snapshot& s) {
    std::uint64_t self_bytes = 0;
    for (const named_value& part : s.self_bytes) { self_bytes += part.value; }
    add_single(out, "memwatch_self_bytes", "Bytes memwatch itself holds.", MetricType::Gauge, as_double(self_bytes));
    add_named(out, "memwatch_dropped_total", "Records lost, by reason.", "reason", s.drops);
    add_named(out, "memwatch_degradations_total", "Steps taken to stay in budget.", "step", s.degradations);
    add_single(out, "memwatch_sample_interval_bytes", "Mean bytes between samples; 0 records every block.", MetricType::Gauge,
               as_double(s.info.interval_bytes));
    MetricFamily& build = out.emplace_back(family("memwatch_build_info", "The version of memwatch.", MetricType::Gauge));
    add(build, {{"version", label_value(s.info.version)}}, 1);
}

// Where memwatch itself tells Alertmanager; no series where it does not.
void add_alerts(std::vector<MetricFamily>& out, const snapshot& s) {
    const auto is_told = [](const named_value& v) { return v.name == "alerts_firing"; };
    if (std::none_of(s.activity.begin(), s.activity.end(), is_told)) { return; }
    add_single(out, "memwatch_alerts_firing", "Alerts that Alertmanager is told of, or will be.", MetricType::Gauge,
               as_double(activity_of(s, "alerts_firing")));
    add_single(out, "memwatch_alert_posts_total", "Posts that an Alertmanager took.", MetricType::Counter,
               as_double(activity_of(s, "alert_posts")));
    add_single(out, "memwatch_alert_post_failures_total", "Posts that an Alertmanager did not take.", MetricType::Counter,
               as_double(activity_of(s, "alert_post_failures")));
}

}  // namespace

std::string site_label(const snapshot& s, const site& of) {
    const bool is_whole = of.stack < s.stacks.size() && of.tag < s.tags.size();
    return is_whole ? site_key(s, of) : std::string(16, '0');
}

exemplars_by_tag collect_exemplars(const snapshot& s, const metrics_options& options) {
    const grouping tags = group_by_name(s.tags, options.max_tags);
    std::unordered_map<std::string, const trace_example*> youngest;
    for (const trace_example& each : s.examples) {
        if (each.site >= s.sites.size() || s.sites[each.site].tag >= tags.group.size()) { continue; }
        const trace_example*& known = youngest[tags.names[tags.group[s.sites[each.site].tag]]];
        if (known == nullptr || known->birth_ns < each.birth_ns) { known = &each; }
    }
    const auto unix_s = [&](std::uint64_t time_ns) {
        return s.info.started_unix_ns == 0 ? 0 : as_double(s.info.started_unix_ns) * 1e-9 + as_double(time_ns) * 1e-9;
    };
    exemplars_by_tag out;
    for (const auto& [tag, each] : youngest) {
        out[tag].born = {each->trace, as_double(each->size_bytes), unix_s(each->birth_ns)};
    }
    for (const lifetime_example& each : s.lifetime_examples) {
        if (each.tag >= tags.group.size()) { continue; }
        exemplar& known = out[tags.names[tags.group[each.tag]]].died[lifetime_bucket(each.lifetime_ns)];
        const double died_unix_s = unix_s(each.died_ns);
        if (!known.trace.is_valid() || known.unix_s < died_unix_s) {
            known = {each.trace, as_double(each.lifetime_ns) / 1e9, died_unix_s};
        }
    }
    return out;
}

std::vector<prometheus::MetricFamily> collect_metrics(const snapshot& s, const metrics_options& options) {
    std::vector<MetricFamily> out;
    out.reserve(80);  // references into `out` stay valid while one family is filled
    add_single(out, "memwatch_up", "1 while memwatch can answer, 0 when it never started.", MetricType::Gauge, 1);
    const grouping tags = group_by_name(s.tags, options.max_tags);
    add_tags(out, s, tags);
    add_estimates_by_tag(out, s, tags);
    add_heap(out, s);
    if (why_nothing_is_sampled(s) == nullptr) { add_sites(out, s, tags, options); }
    add_pools(out, s, options.max_pools);
    add_verdicts(out, s, tags, options);
    add_looks(out, s);
    add_activity(out, s);
    add_memory(out, s);
    add_self(out, s);
    add_alerts(out, s);
    add_restraint(out, s);
    add_black_box(out, s);
    add_remedies(out, s);
    add_history(out, s);
    if (options.measure_cheaply) {
        if (const result<footprint> where = options.measure_cheaply()) { add_footprint(out, *where); }
    }
    out.erase(std::remove_if(out.begin(), out.end(), [](const MetricFamily& f) { return f.metric.empty(); }), out.end());
    return out;
}

std::vector<prometheus::MetricFamily> collect_metrics_or_down(const result<snapshot>& s, const metrics_options& options) {
    if (s) { return collect_metrics(*s, options); }
    std::vector<MetricFamily> out;
    add_single(out, "memwatch_up", "1 while memwatch can answer, 0 when it never started.", MetricType::Gauge, 0);
    return out;
}

std::string render_metrics(const std::vector<prometheus::MetricFamily>& families) {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families);
    return std::move(out).str();
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
