// SPDX-License-Identifier: Apache-2.0
#include "fleet/fleet_sum.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include <memwatch/version.hpp>

#include "base/hash.hpp"

namespace memwatch::inline v1 {
namespace {

constexpr std::size_t most_hand_offs = 1000;  // pairs of thread names; services have dozens

// Counters of a hostile dump may be anything: a sum that would wrap stays at the end.
void add_bounded(std::uint64_t& to, std::uint64_t value) { to = value > ~to ? ~std::uint64_t{0} : to + value; }

void add_named(std::map<std::string, std::uint64_t>& to, const std::vector<named_value>& from) {
    for (const auto& each : from) { add_bounded(to[each.name], each.value); }
}

std::vector<named_value> named_values(const std::map<std::string, std::uint64_t>& from) {
    std::vector<named_value> out;
    for (const auto& [name, value] : from) { out.push_back({name, value}); }
    return out;
}

// What all dumps say alike; where they differ, nothing.
void keep_common(std::string& merged, const std::string& value, bool is_first) {
    if (is_first) {
        merged = value;
    } else if (merged != value) {
        merged.clear();
    }
}

void add_pool(pool_totals& to, const pool_totals& from) {
    to.capacity += from.capacity;
    to.in_use += from.in_use;
    to.high_water += from.high_water;
    to.acquires += from.acquires;
    to.hits += from.hits;
    to.acquire_failures += from.acquire_failures;
    to.misuses += from.misuses;
    to.storage_bytes += from.storage_bytes;
    to.waiters += from.waiters;
    to.most_waiters = std::max(to.most_waiters, from.most_waiters);
    to.waits += from.waits;
    to.wait_ns += from.wait_ns;
    to.oldest_checkout_ns = std::max(to.oldest_checkout_ns, from.oldest_checkout_ns);
}

// Only what a sum has: whose object is out longest would name a frame of one dump.
pool_totals empty_pool(const pool_totals& like) {
    pool_totals out;
    out.name = like.name;
    out.upstream = like.upstream;
    out.object_bytes = like.object_bytes;
    out.tag = like.tag;
    out.upstream_is_pool = like.upstream_is_pool;
    return out;
}

std::string key_of(const pool_totals& pool) {
    return pool.name + '\0' + pool.upstream + '\0' + pool.tag + '\0' + std::to_string(pool.object_bytes);
}

// The same for estimates: sums stay what validate() accepts.
void add_bounded(double& to, double value) { to = std::min(to + value, 1e300); }

void add_bounded(sampled_totals& to, const sampled_totals& from) {
    add_bounded(to.bytes, from.bytes);
    add_bounded(to.objects, from.objects);
    add_bounded(to.bytes_variance, from.bytes_variance);
    add_bounded(to.objects_variance, from.objects_variance);
    to.samples += from.samples;
}

}  // namespace

void fleet_sum::begin_host() {
    finish_hosts();
    ++hosts_;
}

void fleet_sum::finish_hosts() {
    const auto host = static_cast<std::uint32_t>(hosts_ == 0 ? 0 : hosts_ - 1);
    for (const auto index : touched_) {
        auto& each = sites_[index];
        each.hosts.add(host, each.now.bytes, each.now.variance);
        each.now = {};
    }
    touched_.clear();
    total_.add(host, total_now_.bytes, total_now_.variance);
    total_now_ = {};
}

void fleet_sum::add(const snapshot& dump, const std::vector<site_identity>& keys) {
    add_info(dump);
    ++dumps_;
    dump_has_names_ = std::any_of(dump.frames.begin(), dump.frames.end(), [](const frame& f) { return !f.lines.empty(); });
    std::vector<std::uint32_t> merged_site;
    merged_site.reserve(dump.sites.size());
    for (std::size_t i = 0; i < dump.sites.size(); ++i) {
        merged_site.push_back(site_of(dump, i, keys[i]));
        add_site(dump.sites[i], merged_site.back());
    }
    add_tables(dump, merged_site);
}

void fleet_sum::add_site(const site& from, std::uint32_t to) {
    auto& entry = sites_[to];
    add_bounded(entry.sums.live, from.live);
    add_bounded(entry.sums.allocated, from.allocated);
    add_bounded(entry.sums.freed, from.freed);
    add_bounded(entry.sums.freed_by_other_thread, from.freed_by_other_thread);
    for (std::size_t i = 0; i < lifetime_bucket_count; ++i) {
        add_bounded(entry.sums.lifetimes.objects[i], from.lifetimes.objects[i]);
    }
    add_bounded(entry.sums.lifetimes.sum_seconds, from.lifetimes.sum_seconds);
    if (!(from.live.bytes > 0)) { return; }
    if (!entry.now.is_pending) {
        entry.now.is_pending = true;
        touched_.push_back(to);
    }
    for (auto* share : {&entry.now, &total_now_}) {
        add_bounded(share->bytes, from.live.bytes);
        add_bounded(share->variance, from.live.bytes_variance);
    }
}

std::uint32_t fleet_sum::site_of(const snapshot& dump, std::size_t index, const site_identity& key) {
    const auto& from = dump.sites[index];
    const auto [found, is_new] = site_numbers_.try_emplace(key, static_cast<std::uint32_t>(sites_.size()));
    if (!is_new) {
        auto& known = sites_[found->second];
        if (dump_has_names_ && !known.has_names) { name_frames(dump, from, known); }
        return found->second;
    }
    stack code{{}, dump.stacks[from.stack].is_truncated};
    for (const auto frame : dump.stacks[from.stack].frames) { code.frames.push_back(frame_of(dump, frame)); }
    const auto& tag = dump.tags[from.tag].name;
    const auto [tag_number, is_new_tag] = tag_numbers_.try_emplace(tag, static_cast<std::uint32_t>(tags_.size()));
    if (is_new_tag) { tags_.push_back({tag, 0, 0, 0, 0, dump.tags[from.tag].weight}); }
    auto& added = sites_.emplace_back();
    added.key = key;
    added.sums.stack = static_cast<std::uint32_t>(stacks_.size());
    added.sums.tag = tag_number->second;
    added.sums.type = from.type;
    stacks_.push_back(std::move(code));
    name_frames(dump, from, added);
    return found->second;
}

std::uint32_t fleet_sum::frame_of(const snapshot& dump, std::uint32_t index) {
    const auto& from = dump.frames[index];
    std::uint32_t number = no_module;
    if (from.module != no_module) {
        const auto& m = dump.modules[from.module];
        const auto [found, is_new] = module_numbers_.try_emplace(identity_of(m), static_cast<std::uint32_t>(modules_.size()));
        // Where it was loaded is one process' business; what its offsets count from belongs to the build.
        if (is_new) { modules_.push_back({m.path, m.build_id, 0, 0, m.file_offset}); }
        number = found->second;
    }
    // Code in no module stands at an address of its process, where another one has other code.
    std::string names;
    for (const auto& line : from.lines) {
        if (number == no_module) { names += line.function + '\n' + line.file + ':' + std::to_string(line.line) + '\n'; }
    }
    const auto [found, is_new] =
        frame_numbers_.try_emplace({number, from.offset, std::move(names)}, static_cast<std::uint32_t>(frames_.size()));
    if (is_new) { frames_.push_back({number, from.offset, from.lines}); }
    return found->second;
}

// A dump that was symbolized names the sites of those that were not.
void fleet_sum::name_frames(const snapshot& dump, const site& from, site_sum& to) {
    const auto& source = dump.stacks[from.stack].frames;
    const auto& target = stacks_[to.sums.stack].frames;
    to.has_names = true;
    for (std::size_t i = 0; i < source.size() && i < target.size(); ++i) {
        auto& lines = frames_[target[i]].lines;
        if (lines.empty()) { lines = dump.frames[source[i]].lines; }
        to.has_names = to.has_names && !lines.empty();
    }
}

void fleet_sum::add_tables(const snapshot& dump, const std::vector<std::uint32_t>& merged_site) {
    for (const auto& each : dump.tags) {
        const auto [found, is_new] = tag_numbers_.try_emplace(each.name, static_cast<std::uint32_t>(tags_.size()));
        if (is_new) { tags_.push_back({each.name, 0, 0, 0, 0, each.weight}); }
        auto& sum = tags_[found->second];
        sum.weight = std::max(sum.weight, each.weight);
        add_bounded(sum.allocated_bytes, each.allocated_bytes);
        add_bounded(sum.allocations, each.allocations);
        add_bounded(sum.freed_bytes, each.freed_bytes);
        add_bounded(sum.frees, each.frees);
    }
    for (const auto& each : dump.pools) { add_pool(pools_.try_emplace(key_of(each), empty_pool(each)).first->second, each); }
    for (const auto& each : dump.survivals) {
        auto& to = sites_[merged_site[each.site]];
        to.has_fate = true;
        add_bounded(to.fate.survived, each.survived);
        add_bounded(to.fate.ended, each.ended);
        add_bounded(to.fate.short_lived, each.short_lived);
        add_bounded(to.fate.survived_traced_bytes, each.survived_traced_bytes);
    }
    for (const auto& each : dump.hand_offs) {
        auto names = std::make_pair(each.from, each.to);
        if (hand_offs_.size() >= most_hand_offs && !hand_offs_.contains(names)) { names = {}; }
        add_bounded(hand_offs_[names], each.freed);
    }
    add_named(drops_, dump.drops);
    add_named(degradations_, dump.degradations);
    add_named(self_bytes_, dump.self_bytes);
    add_named(activity_, dump.activity);
}

void fleet_sum::add_info(const snapshot& dump) {
    const auto& from = dump.info;
    const bool is_first = dumps_ == 0;
    keep_common(info_.service, from.service, is_first);
    keep_common(info_.executable, from.executable, is_first);
    keep_common(info_.sampler, from.sampler, is_first);
    host_names_[from.host] = true;
    const auto unix_ns = from.started_unix_ns + from.taken_ns;
    if (is_first || from.started_unix_ns < info_.started_unix_ns) { info_.started_unix_ns = from.started_unix_ns; }
    last_unix_ns_ = std::max(last_unix_ns_, unix_ns);
    info_.interval_bytes = std::max(info_.interval_bytes, from.interval_bytes);
    info_.one_in = std::max(info_.one_in, from.one_in);
    info_.min_size_bytes = std::max(info_.min_size_bytes, from.min_size_bytes);
    info_.resident_bytes += from.resident_bytes;
    info_.epoch_ns = is_first || info_.epoch_ns == from.epoch_ns ? from.epoch_ns : 0;
    info_.window_ns = is_first || info_.window_ns == from.window_ns ? from.window_ns : 0;
    for (const auto word : {hash_text(from.session), from.taken_ns, from.pid}) {
        session_.high = combine_hash(session_.high, word);
        session_.low = combine_hash(session_.low, word + 1);
    }
}

void fleet_sum::sort_sites(snapshot& out) {
    order_.resize(sites_.size());
    std::iota(order_.begin(), order_.end(), 0U);
    std::sort(order_.begin(), order_.end(), [&](auto a, auto b) { return sites_[a].key < sites_[b].key; });
    for (std::uint32_t row = 0; row < order_.size(); ++row) {
        auto& from = sites_[order_[row]];
        out.sites.push_back(std::move(from.sums));
        if (!from.has_fate) { continue; }
        from.fate.site = row;
        out.survivals.push_back(from.fate);
    }
}

snapshot fleet_sum::take() {
    finish_hosts();
    snapshot out;
    out.info = info_;
    out.info.version = version;
    out.info.host = host_names_.size() == 1 ? host_names_.begin()->first : std::to_string(hosts_) + " hosts";
    out.info.taken_ns = last_unix_ns_ - info_.started_unix_ns;
    out.info.window_ns = std::min(out.info.window_ns, out.info.taken_ns);
    char session[33];
    std::snprintf(session, sizeof session, "%016llx%016llx", static_cast<unsigned long long>(session_.high),
                  static_cast<unsigned long long>(session_.low));
    out.info.session = session;
    sort_sites(out);
    out.modules = std::move(modules_);
    out.frames = std::move(frames_);
    out.stacks = std::move(stacks_);
    out.tags = std::move(tags_);
    out.routes.emplace_back();
    out.threads.push_back({"other", 0, false});
    for (auto& [key, pool] : pools_) { out.pools.push_back(std::move(pool)); }
    activity_["merged_dumps"] += dumps_;
    activity_["merged_hosts"] += hosts_;
    out.drops = named_values(drops_);
    out.degradations = named_values(degradations_);
    out.self_bytes = named_values(self_bytes_);
    out.activity = named_values(activity_);
    for (auto& [names, freed] : hand_offs_) { out.hand_offs.push_back({names.first, names.second, 0, 0, freed}); }
    std::stable_sort(out.hand_offs.begin(), out.hand_offs.end(),
                     [](const hand_off& a, const hand_off& b) { return a.freed.objects > b.freed.objects; });
    return out;
}

}  // namespace memwatch::inline v1
