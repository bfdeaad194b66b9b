// SPDX-License-Identifier: Apache-2.0
#include "cli/top/figures.hpp"

#include <algorithm>
#include <unordered_map>

#include "report/view.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace top {
namespace {

constexpr const char* names[dimension_count] = {"site", "tag", "route", "thread", "type", "pool"};
constexpr view_kind kinds[dimension_count] = {view_kind::sites,   view_kind::tags,  view_kind::routes,
                                              view_kind::threads, view_kind::types, view_kind::pools};
constexpr const char* name_columns[dimension_count] = {"function", "tag", "route", "thread", "type", "pool"};
constexpr const char* unknown_names[dimension_count] = {"(no stack)", "(untagged)",     "(no route)",
                                                        "(no name)",  "(unknown type)", "(no name)"};

// A row of a view by the keys of its columns; what a view has not got is unknown.
class cells {
public:
    cells(const view& of, std::size_t row) : of_(of), row_(of.rows[row]) {}

    [[nodiscard]] std::string text(std::string_view key) const {
        const view_cell* const found = find(key);
        const auto* const value = found == nullptr ? nullptr : std::get_if<std::string>(found);
        return value == nullptr ? std::string() : printable(*value);
    }

    [[nodiscard]] std::optional<std::uint64_t> number(std::string_view key) const {
        const view_cell* const found = find(key);
        const auto* const value = found == nullptr ? nullptr : std::get_if<std::uint64_t>(found);
        return value == nullptr ? std::nullopt : std::optional(*value);
    }

    [[nodiscard]] std::optional<estimate> estimated(std::string_view key) const {
        const view_cell* const found = find(key);
        const auto* const value = found == nullptr ? nullptr : std::get_if<estimate>(found);
        if (value != nullptr) { return *value; }
        const auto exact = number(key);
        return exact ? std::optional(estimate{static_cast<double>(*exact), 0}) : std::nullopt;
    }

    [[nodiscard]] std::vector<std::string> list(std::string_view key) const {
        const view_cell* const found = find(key);
        const auto* const value = found == nullptr ? nullptr : std::get_if<std::vector<std::string>>(found);
        std::vector<std::string> lines = value == nullptr ? std::vector<std::string>() : *value;
        for (std::string& line : lines) { line = printable(line); }
        return lines;
    }

private:
    [[nodiscard]] const view_cell* find(std::string_view key) const {
        for (std::size_t i = 0; i < of_.columns.size(); ++i) {
            if (key == of_.columns[i].key) { return &row_[i]; }
        }
        return nullptr;
    }

    const view& of_;
    const std::vector<view_cell>& row_;
};

double squared(double x) noexcept { return x * x; }

void read_pool(const cells& of, row& into) {
    const std::uint64_t in_use = of.number("in_use").value_or(0);
    const auto object = of.number("object_bytes");
    into.objects = static_cast<double>(in_use);
    into.live_bytes = static_cast<double>(object ? *object * in_use : of.number("storage_bytes").value_or(0));
    into.oldest_age_ns = of.number("oldest_checkout_ns");
}

void read_sampled(const cells& of, row& into) {
    const estimate live = of.estimated("live_bytes").value_or(estimate{});
    into.live_bytes = live.value;
    into.live_variance = squared(live.standard_error);
    into.objects = of.estimated("live_objects").value_or(estimate{}).value;
    into.oldest_age_ns = of.number("oldest_age_ns");
}

row read_row(const view& from, std::size_t index, dimension by) {
    const cells of(from, index);
    row read;
    read.name = of.text(name_columns[static_cast<std::size_t>(by)]);
    if (read.name.empty()) { read.name = unknown_names[static_cast<std::size_t>(by)]; }
    read.key = by == dimension::site ? of.text("site") : read.name;
    if (by == dimension::thread) {
        const auto tid = of.number("tid");
        read.key += "/" + (tid ? std::to_string(*tid) : std::string());
        if (tid) { read.name += " " + std::to_string(*tid); }
    }
    if (by == dimension::pool) {
        read_pool(of, read);
    } else {
        read_sampled(of, read);
    }
    read.judged = verdict_class_of(of.text("verdict"));
    if (by == dimension::site) {
        read.tag = of.text("tag");
        read.type = of.text("type");
        read.route = of.text("route");
        read.stack = of.list("stack");
        read.churn_variance = squared(of.estimated("allocated_bytes").value_or(estimate{}).standard_error) +
                              squared(of.estimated("freed_bytes").value_or(estimate{}).standard_error);
    }
    return read;
}

void add(row& to, const row& other) {
    to.live_bytes += other.live_bytes;
    to.live_variance += other.live_variance;
    to.objects += other.objects;
    if (to.churn_variance && other.churn_variance) { *to.churn_variance += *other.churn_variance; }
    to.judged = std::max(to.judged, other.judged);  // nothing is less than any class
    if (other.oldest_age_ns) { to.oldest_age_ns = std::max(to.oldest_age_ns.value_or(0), *other.oldest_age_ns); }
}

std::uint64_t sum_of(const std::vector<named_value>& values) {
    std::uint64_t sum = 0;
    for (const named_value& each : values) { sum += each.value; }
    return sum;
}

bool is_summary(const snapshot& s) {
    return s.live.empty() && std::any_of(s.sites.begin(), s.sites.end(), [](const site& of) { return of.live.samples != 0; });
}

}  // namespace

const char* to_string(dimension by) noexcept { return names[static_cast<std::size_t>(by)]; }

std::optional<dimension> parse_dimension(std::string_view text) noexcept {
    for (std::size_t i = 0; i < dimension_count; ++i) {
        if (text == names[i]) { return static_cast<dimension>(i); }
    }
    return std::nullopt;
}

bool needs_records(dimension by) noexcept { return by == dimension::route || by == dimension::thread; }

totals add_up(const snapshot& s) {
    totals sum;
    for (const site& each : s.sites) {
        sum.live_bytes += each.live.bytes;
        sum.live_variance += each.live.bytes_variance;
    }
    sum.drops = sum_of(s.drops);
    sum.self_bytes = sum_of(s.self_bytes);
    return sum;
}

std::optional<figures> read_figures(const snapshot& s, dimension by) {
    const bool has_records = !is_summary(s);
    if (needs_records(by) && !has_records) { return std::nullopt; }
    const result<view> table = make_view(s, kinds[static_cast<std::size_t>(by)], {0, {}, {}, {}});
    if (!table) { return std::nullopt; }  // without options there is nothing to refuse
    figures read{by, has_records, {}};
    std::unordered_map<std::string, std::size_t> place;
    for (std::size_t i = 0; i < table->rows.size(); ++i) {
        row next = read_row(*table, i, by);
        const auto [at, is_new] = place.try_emplace(next.key, read.rows.size());
        if (is_new) {
            read.rows.push_back(std::move(next));
        } else {
            add(read.rows[at->second], next);  // pools and threads of one name
        }
    }
    return read;
}

}  // namespace top
}  // namespace v1
}  // namespace memwatch
