// SPDX-License-Identifier: Apache-2.0
// Dumps as rows of one wide table, for fleets that have a ClickHouse already. JSONEachRow gives what a row leaves out its
// column's default, so each kind of row says only what it has; columns of one kind are empty in the others and take no space
// there.
//
// Every row repeats whose it is (service, host, session, build, time): a query is about one kind, and needs no join for that.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <vector>

#include <memwatch/model/site_name.hpp>
#include <memwatch/model/verdict.hpp>

#include "base/json_writer.hpp"
#include "exchange/call_paths.hpp"
#include "exchange/export_formats.hpp"
#include "model/fnv128.hpp"

namespace memwatch::inline v1::exchange {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

constexpr const char* schema = R"sql(CREATE DATABASE IF NOT EXISTS memwatch;

CREATE TABLE IF NOT EXISTS memwatch.rows
(
    -- whose, when; in every row
    kind String,                       -- dump, site, tag, verdict
    taken DateTime,
    taken_ns UInt64,                   -- the same, Unix time in ns
    service String,
    host String,
    pid UInt64,
    session String,                    -- one life of one process
    build String,                      -- build id of the executable
    version String,                    -- of memwatch
    up_s Float64,                      -- since the session's process began to be watched

    -- kind = 'dump'
    executable String,
    label String,
    resident_bytes UInt64,
    cgroup_bytes UInt64,
    cgroup_unreclaimable_bytes UInt64,
    cgroup_limit_bytes UInt64,         -- 0: there is none, or nobody looked
    self_bytes UInt64,
    dropped UInt64,
    interval_bytes UInt64,
    sites UInt64,

    -- amounts: of a dump and a site estimates with a standard error, of a tag exact
    live_bytes UInt64,
    live_standard_error Float64,
    live_objects UInt64,
    allocated_bytes UInt64,
    freed_bytes UInt64,
    samples UInt64,

    -- kind = 'site'; function, tag and type of a verdict's site, too
    site String,                       -- of one build
    place String,                      -- the same in all builds in which its functions have the same names
    function String,
    file String,
    line UInt32,
    type String,
    tag String,
    stack String,                      -- outermost first, '; ' between

    -- kind = 'verdict'
    pool String,                       -- where the verdict is about one
    class String,
    level String,                      -- leak, suspect; who is not accused has no row
    severity String,
    confidence Float64,
    is_exact UInt8,
    retained_bytes UInt64,
    kept_share Float64,
    rate_bytes_per_s Float64,
    rate_error Float64,
    since DateTime
)
ENGINE = ReplacingMergeTree(taken_ns)
PARTITION BY toYYYYMMDD(taken)
ORDER BY (service, kind, place, tag, pool, build, session, site, taken);  -- equal stacks side by side: a hundredth on disk
)sql";

double finite(double value) { return std::isfinite(value) ? value : 0; }

std::uint64_t sum_of(const std::vector<named_value>& list) {
    return std::accumulate(list.begin(), list.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const named_value& each) { return sum + each.value; });
}

std::uint64_t value_of(const std::vector<named_value>& list, std::string_view name) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const named_value& each) { return each.name == name; });
    return found == list.end() ? 0 : found->value;
}

std::string build_of(const snapshot& s) {
    const auto found =
        std::find_if(s.modules.begin(), s.modules.end(), [&](const module& each) { return each.path == s.info.executable; });
    if (found != s.modules.end()) { return found->build_id; }
    return s.modules.empty() ? std::string() : s.modules.front().build_id;
}

std::string hex_of(fnv128::number value) {
    char text[40];
    std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(value >> 64U),
                  static_cast<unsigned long long>(value));
    return text;
}

class row_writer {
public:
    row_writer(const snapshot& s, std::size_t top_sites) : s_(s), paths_(s), build_(build_of(s)), top_(top_sites) {}

    std::string write() {
        put_dump();
        put_sites();
        for (const tag_totals& each : s_.tags) {
            if (each.allocations != 0) { put_tag(each); }
        }
        for (const verdict& each : s_.verdicts) {
            if (level_of(each.kind) != verdict_level::none) { put_verdict(each); }  // of all sites there is one
        }
        return std::move(out_);
    }

private:
    std::uint64_t unix_seconds(std::uint64_t ns) const {
        return s_.info.started_unix_ns == 0 ? 0 : (s_.info.started_unix_ns + ns) / second_ns;
    }

    void begin(const char* kind) {
        const snapshot_info& info = s_.info;
        json_.begin_object();
        json_.key("kind").value(kind);
        json_.key("taken").value(unix_seconds(info.taken_ns));
        json_.key("taken_ns").value(info.started_unix_ns == 0 ? std::uint64_t{0} : info.started_unix_ns + info.taken_ns);
        put("service", info.service);
        put("host", info.host);
        put("pid", info.pid);
        put("session", info.session);
        put("build", build_);
        put("version", info.version);
        put("up_s", static_cast<double>(info.taken_ns) / 1e9);
    }
    void end() {
        json_.end_object();
        out_ += json_.take();
        json_ = {};
    }

    // What is the column's default anyway is left out.
    void put(std::string_view column, const std::string& text) {
        if (!text.empty()) { json_.key(column).value(text); }
    }
    void put(std::string_view column, std::uint64_t number) {
        if (number != 0) { json_.key(column).value(number); }
    }
    void put(std::string_view column, double number) {
        if (finite(number) != 0) { json_.key(column).value(number); }
    }
    void put(const sampled_totals& live, const sampled_totals& allocated, const sampled_totals& freed) {
        put("live_bytes", whole_amount(live.bytes));
        put("live_standard_error", live.bytes_standard_error());
        put("live_objects", whole_amount(live.objects));
        put("allocated_bytes", whole_amount(allocated.bytes));
        put("freed_bytes", whole_amount(freed.bytes));
        put("samples", live.samples);
    }

    void put_dump() {
        sampled_totals live, allocated, freed;
        for (const site& each : s_.sites) {
            live.add(each.live);
            allocated.add(each.allocated);
            freed.add(each.freed);
        }
        begin("dump");
        put("executable", s_.info.executable);
        put("label", s_.info.label);
        put("resident_bytes", s_.info.resident_bytes);
        for (const char* const name : {"cgroup_bytes", "cgroup_unreclaimable_bytes", "cgroup_limit_bytes"}) {
            put(name, value_of(s_.activity, name));
        }
        put("self_bytes", sum_of(s_.self_bytes));
        put("dropped", sum_of(s_.drops));
        put("interval_bytes", s_.info.interval_bytes);
        put("sites", std::uint64_t{s_.sites.size()});
        put(live, allocated, freed);
        end();
    }

    // Which sites have a row of their own.
    std::vector<bool> chosen_sites() const {
        if (top_ == 0 || top_ >= s_.sites.size()) { return std::vector<bool>(s_.sites.size(), true); }
        std::vector<bool> chosen(s_.sites.size(), false);
        std::vector<std::size_t> order(s_.sites.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top_), order.end(),
                         [&](std::size_t a, std::size_t b) { return s_.sites[a].live.bytes > s_.sites[b].live.bytes; });
        for (std::size_t i = 0; i < top_; ++i) { chosen[order[i]] = true; }
        for (const verdict& each : s_.verdicts) {
            const bool is_accused = level_of(each.kind) != verdict_level::none;
            if (is_accused && each.subject == verdict_subject::site) { chosen[each.index] = true; }
        }
        return chosen;
    }

    void put_sites() {
        const std::vector<bool> chosen = chosen_sites();
        sampled_totals live, allocated, freed;
        for (std::size_t i = 0; i < s_.sites.size(); ++i) {
            const site& each = s_.sites[i];
            if (chosen[i]) {
                put_site(each);
                continue;
            }
            live.add(each.live);
            allocated.add(each.allocated);
            freed.add(each.freed);
        }
        if (std::find(chosen.begin(), chosen.end(), false) == chosen.end()) { return; }
        begin("site");
        json_.key("function").value("(other)");
        put(live, allocated, freed);
        end();
    }

    void put_identity(const site& each, bool with_stack) {
        const std::vector<std::uint32_t> path = paths_.path_of(each.stack);
        const std::string name = site_name(s_, each);
        put("site", site_key(s_, each));
        put("place", place_of(each, path));
        put("function", name);
        if (const call* const at = paths_.named(path, name); at != nullptr) {
            put("file", at->file);
            put("line", std::uint64_t{at->line});
        }
        put("type", each.type);
        put("tag", s_.tags[each.tag].name);
        if (with_stack) { put("stack", paths_.text_of(path)); }
    }

    // Over the names of the program's own calls: lines and offsets change with each build, libraries with each host.
    std::string place_of(const site& each, const std::vector<std::uint32_t>& path) const {
        fnv128 hash;
        bool has_own = false;
        for (const bool is_last_try : {false, true}) {
            for (const std::uint32_t index : path) {
                const std::string& name = paths_.calls()[index].function;
                const bool is_own = name.find("+0x") == std::string::npos && !is_plumbing(name);
                if (!is_own && !is_last_try) { continue; }
                hash.add(std::string_view(name));
                has_own = true;
            }
            if (has_own) { break; }  // else all there is
        }
        hash.add(std::string_view(each.type));
        hash.add(std::string_view(s_.tags[each.tag].name));
        return hex_of(hash.value());
    }

    void put_site(const site& each) {
        begin("site");
        put_identity(each, true);
        put(each.live, each.allocated, each.freed);
        end();
    }

    void put_tag(const tag_totals& each) {
        begin("tag");
        put("tag", each.name);
        put("live_bytes", each.live_bytes());
        put("live_objects", each.live_objects());
        put("allocated_bytes", each.allocated_bytes);
        put("freed_bytes", each.freed_bytes);
        end();
    }

    void put_verdict(const verdict& each) {
        begin("verdict");
        if (each.subject == verdict_subject::pool) {
            put("pool", s_.pools[each.index].name);
        } else {
            put_identity(s_.sites[each.index], false);
        }
        put("class", std::string(word_of(each.kind)));
        put("level", std::string(word_of(level_of(each.kind))));
        put("severity", std::string(word_of(each.severity)));
        put("confidence", each.confidence);
        put("is_exact", std::uint64_t{each.is_exact ? 1U : 0U});
        put("retained_bytes", whole_amount(each.retained_bytes));
        put("kept_share", each.kept_share);
        put("rate_bytes_per_s", each.rate_bytes_per_second);
        put("rate_error", each.rate_error);
        put("since", unix_seconds(each.since_ns));
        end();
    }

    const snapshot& s_;
    call_paths paths_;
    const std::string build_;
    const std::size_t top_;
    json_writer json_;
    std::string out_;
};

}  // namespace

std::string encode_clickhouse(const snapshot& s, std::size_t top_sites) { return row_writer(s, top_sites).write(); }

const char* clickhouse_schema() noexcept { return schema; }

}  // namespace memwatch::inline v1::exchange
