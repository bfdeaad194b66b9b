// SPDX-License-Identifier: Apache-2.0
#include "exchange/profile_builder.hpp"

#include <algorithm>
#include <cmath>

namespace memwatch::inline v1::exchange {
namespace {

constexpr std::uint64_t most_records = 1'000'000;
constexpr double most_samples = 1e15;  // of one site; beyond is no measurement, and doubles stop being integers

std::uint64_t whole(double value) { return static_cast<std::uint64_t>(std::llround(std::clamp(value, 0.0, most_samples))); }

// The interval at which a block of `size` stands for `weight` blocks: p = 1/weight in p = 1 - exp(-size/R). R in whole bytes
// moves what the block stands for by less than a byte.
std::uint64_t interval_for(double size, double weight) {
    if (weight <= 1 || size <= 0) { return 0; }
    return static_cast<std::uint64_t>(std::llround(std::min(-size / std::log1p(-1 / weight), 9e18)));
}

// What was freed is what was allocated and is not alive; of independent samples the variances differ by the same.
sampled_totals difference(const sampled_totals& all, const sampled_totals& part) {
    sampled_totals rest;
    rest.bytes = std::max(0.0, all.bytes - part.bytes);
    rest.objects = std::max(0.0, all.objects - part.objects);
    rest.bytes_variance = std::max(0.0, all.bytes_variance - part.bytes_variance);
    rest.objects_variance = std::max(0.0, all.objects_variance - part.objects_variance);
    rest.samples = all.samples > part.samples ? all.samples - part.samples : 0;
    return rest;
}

}  // namespace

profile_builder::profile_builder(std::uint64_t budget_bytes, std::uint64_t interval_bytes)
    : left_(budget_bytes), interval_bytes_(interval_bytes) {
    out_.value.tags.push_back({"untagged", 0, 0, 0, 0});
    out_.value.routes.emplace_back();
    out_.value.threads.push_back({"other", 0, false});
    tags_.emplace("untagged", 0);
    routes_.emplace("", 0);
    threads_.emplace("other", 0);
    info().interval_bytes = interval_bytes > 1 ? interval_bytes : 0;
    info().sampler = interval_bytes > 1 ? "poisson" : "full";
}

bool profile_builder::charge(std::uint64_t bytes) noexcept {
    if (bytes > left_) { is_over_budget_ = true; }
    left_ = is_over_budget_ ? 0 : left_ - bytes;
    return !is_over_budget_;
}

std::uint32_t profile_builder::add_module(module row) {
    auto& table = out_.value.modules;
    if (charge(sizeof row + row.path.size() + row.build_id.size()) || table.empty()) { table.push_back(std::move(row)); }
    return static_cast<std::uint32_t>(table.size() - 1);
}

std::uint32_t profile_builder::add_frame(frame row) {
    std::uint64_t bytes = sizeof row;
    for (const source_line& line : row.lines) { bytes += sizeof line + line.function.size() + line.file.size(); }
    auto& table = out_.value.frames;
    if (charge(bytes) || table.empty()) { table.push_back(std::move(row)); }
    return static_cast<std::uint32_t>(table.size() - 1);
}

std::uint32_t profile_builder::add_stack(std::vector<std::uint32_t> frames, bool is_truncated) {
    if (frames.size() > most_frames) {
        frames.resize(most_frames);
        is_truncated = true;
    }
    auto& table = out_.value.stacks;
    const auto [found, is_new] = stacks_.try_emplace(std::move(frames), static_cast<std::uint32_t>(table.size()));
    if (!is_new) { return found->second; }
    charge(2 * (sizeof(stack) + found->first.size() * sizeof(std::uint32_t)) + 64);
    // Who compares or writes stacks spells them out, call by call: a frame of many inlined ones costs wherever it stands.
    for (const std::uint32_t index : found->first) {
        const std::size_t calls = out_.value.frames[index].lines.size();
        if (calls > 1 && !charge((calls - 1) * sizeof(source_line))) { break; }
    }
    if (is_over_budget_ && !table.empty()) {
        stacks_.erase(found);
        return 0;
    }
    table.push_back({found->first, is_truncated});
    return found->second;
}

template <class Table, class Make>
std::uint32_t profile_builder::number(names& known, Table& table, std::string_view name, Make make) {
    const auto found = known.find(name);
    if (found != known.end()) { return found->second; }
    if (!charge(2 * name.size() + 128)) { return 0; }
    known.emplace(name, static_cast<std::uint32_t>(table.size()));
    table.push_back(make(std::string{name}));
    return static_cast<std::uint32_t>(table.size() - 1);
}

std::uint32_t profile_builder::site_of(const profile_sample& sample) {
    const std::string_view tag_name = sample.tag.empty() ? std::string_view{"untagged"} : sample.tag;
    const std::uint32_t tag = number(tags_, out_.value.tags, tag_name, [](std::string name) {
        return tag_totals{std::move(name), 0, 0, 0, 0};
    });
    const auto type = types_.try_emplace(std::string{sample.type}, static_cast<std::uint32_t>(types_.size())).first->second;
    auto& table = out_.value.sites;
    const auto [found, is_new] =
        sites_.try_emplace(std::make_tuple(sample.stack, tag, type), static_cast<std::uint32_t>(table.size()));
    if (!is_new) { return found->second; }
    charge(sizeof(site) + 2 * sample.type.size() + 64);
    site& row = table.emplace_back();
    row.stack = sample.stack;
    row.tag = tag;
    row.type = std::string{sample.type};
    return found->second;
}

sampled_totals profile_builder::totals_of(const amount& of) const noexcept {
    sampled_totals totals;
    totals.bytes = of.bytes;
    totals.objects = of.objects;
    if (of.bytes <= 0 && of.objects <= 0) { return totals; }
    totals.samples = std::max<std::uint64_t>(1, whole(of.objects));
    if (interval_bytes_ <= 1 || of.objects <= 0 || of.bytes <= 0) { return totals; }
    const double size = of.bytes / of.objects;
    const double p = -std::expm1(-size / static_cast<double>(interval_bytes_));
    if (p <= 0) { return totals; }
    totals.samples = std::max<std::uint64_t>(1, whole(of.objects * p));
    totals.bytes_variance = std::min(of.bytes * size * (1 - p) / p, 1e300);
    totals.objects_variance = std::min(of.objects * (1 - p) / p, 1e300);
    return totals;
}

void profile_builder::add(const profile_sample& sample) {
    const bool is_alive = sample.live.bytes > 0 || sample.live.objects > 0;
    if (is_over_budget_ || (!is_alive && sample.allocated.bytes <= 0 && sample.allocated.objects <= 0)) { return; }
    const std::uint32_t index = site_of(sample);
    site& row = out_.value.sites[index];
    const sampled_totals live = totals_of(sample.live);
    row.live.add(live);
    row.allocated.add(totals_of(sample.allocated));
    if (!is_alive) { return; }
    has_labels_ = has_labels_ || !sample.route.empty() || !sample.thread.empty() || sample.trace.is_valid();
    const auto same = [](std::string name) { return name; };
    const auto thread = [](std::string name) { return thread_info{std::move(name), 0, false}; };
    charge(sizeof(labelled_amount));
    labelled_.push_back({sample.live, index, number(routes_, out_.value.routes, sample.route, same),
                         sample.thread.empty() ? 0 : number(threads_, out_.value.threads, sample.thread, thread),
                         sample.trace});
}

void profile_builder::add_records() {
    std::uint64_t count = 0;
    for (const labelled_amount& each : labelled_) { count = std::min(count + totals_of(each.live).samples, most_records + 1); }
    if (count > most_records) {
        return lost("more than " + std::to_string(most_records) +
                    " blocks have labels: their routes, threads and traces are left out, sums are kept");
    }
    for (site& row : out_.value.sites) { row.live = {}; }
    for (const labelled_amount& each : labelled_) { add_records(each, totals_of(each.live).samples); }
}

void profile_builder::add_records(const labelled_amount& of, std::uint64_t count) {
    const double weight = of.live.objects / static_cast<double>(count);
    const double size = of.live.objects > 0 ? of.live.bytes / of.live.objects : of.live.bytes;
    const std::uint64_t interval = interval_bytes_ > 1 ? interval_for(size, weight) : 0;
    const std::uint64_t all = whole(size * static_cast<double>(count));
    constexpr std::uint64_t unknown_birth = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t size_bytes = all / count + (i < all % count ? 1 : 0);
        out_.value.live.push_back(
            {out_.value.live.size() + 1, size_bytes, unknown_birth, interval, of.trace, of.site, of.route, of.thread});
        out_.value.sites[of.site].live.add(size_bytes, interval);
    }
}

// A profile that counts every block has exact tags.
void profile_builder::count_exactly(const site& of) {
    tag_totals& tag = out_.value.tags[of.tag];
    tag.allocated_bytes += whole(of.live.bytes) + whole(of.freed.bytes);
    tag.allocations += whole(of.live.objects) + whole(of.freed.objects);
    tag.freed_bytes += whole(of.freed.bytes);
    tag.frees += whole(of.freed.objects);
}

result<imported_profile> profile_builder::finish() {
    if (has_labels_ && !is_over_budget_) { add_records(); }
    if (is_over_budget_) { return fail(error_code::limit, "it unpacks to more than a profile of its size has"); }
    for (site& row : out_.value.sites) {
        if (row.allocated.bytes < row.live.bytes || row.allocated.objects < row.live.objects) { row.allocated = row.live; }
        row.freed = difference(row.allocated, row.live);
        if (interval_bytes_ <= 1) { count_exactly(row); }
    }
    return std::move(out_);
}

}  // namespace memwatch::inline v1::exchange
