// SPDX-License-Identifier: Apache-2.0
#include "serve/openmetrics.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view total = "_total";
constexpr std::string_view exemplified_family = "memwatch_allocated_bytes";
constexpr std::string_view lifetimes_family = "memwatch_object_lifetime_seconds";
constexpr std::string_view units[] = {"bytes", "seconds", "ratio"};

bool ends_with(std::string_view text, std::string_view end) noexcept {
    return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

void append_number(std::string& out, double value) {
    if (std::isnan(value)) {
        out += "NaN";
    } else if (std::isinf(value)) {
        out += value > 0 ? "+Inf" : "-Inf";
    } else {
        char text[32];
        const auto written = std::to_chars(std::begin(text), std::end(text), value);  // shortest that reads back the same
        out.append(text, written.ptr);
    }
}

void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        if (c == '\n') {
            out += "\\n";
            continue;
        }
        if (c == '\\' || c == '"') { out += '\\'; }
        out += c;
    }
}

// `bound` is a histogram's `le`; null: none.
void append_labels(std::string& out, const std::vector<ClientMetric::Label>& labels, const double* bound) {
    if (labels.empty() && bound == nullptr) { return; }
    char separator = '{';
    for (const ClientMetric::Label& each : labels) {
        (out += separator).append(each.name).append("=\"");
        append_escaped(out, each.value);
        out += '"';
        separator = ',';
    }
    if (bound != nullptr) {
        (out += separator).append("le=\"");
        const std::size_t at = out.size();
        append_number(out, *bound);
        if (out.find_first_not_of("0123456789", at) == std::string::npos) { out += ".0"; }  // the canonical form of a float
        out += '"';
    }
    out += '}';
}

void append_sample(std::string& out, std::string_view name, std::string_view suffix, const ClientMetric& metric, double value,
                   const double* bound = nullptr) {
    out.append(name).append(suffix);
    append_labels(out, metric.label, bound);
    out += ' ';
    append_number(out, value);
}

// Null: the tag of these labels has none.
const tag_exemplars* exemplars_for(const ClientMetric& metric, const exemplars_by_tag& all) {
    for (const ClientMetric::Label& label : metric.label) {
        if (label.name != "tag") { continue; }
        const auto found = all.find(label.value);
        return found == all.end() ? nullptr : &found->second;
    }
    return nullptr;
}

void append_exemplar(std::string& out, const exemplar& example) {
    if (!example.trace.is_valid()) { return; }
    out.append(" # {trace_id=\"").append(to_string(example.trace)).append("\"} ");
    append_number(out, example.value);
    if (example.unix_s <= 0) { return; }
    char text[32];
    const auto written = std::to_chars(std::begin(text), std::end(text), example.unix_s, std::chars_format::fixed, 3);
    out.append(" ").append(text, written.ptr);
}

void append_histogram(std::string& out, std::string_view name, const ClientMetric& metric, const tag_exemplars* exemplars) {
    std::size_t i = 0;
    for (const ClientMetric::Bucket& bucket : metric.histogram.bucket) {
        append_sample(out, name, "_bucket", metric, static_cast<double>(bucket.cumulative_count), &bucket.upper_bound);
        if (exemplars != nullptr && i < lifetime_bucket_count) { append_exemplar(out, exemplars->died[i]); }
        out += '\n';
        ++i;
    }
    append_sample(out, name, "_count", metric, static_cast<double>(metric.histogram.sample_count));
    out += '\n';
    append_sample(out, name, "_sum", metric, metric.histogram.sample_sum);
    out += '\n';
}

void append_metric(std::string& out, std::string_view name, MetricType type, const ClientMetric& metric,
                   const exemplars_by_tag& all) {
    if (type == MetricType::Histogram) {
        const bool is_of_lifetimes = name == lifetimes_family;
        return append_histogram(out, name, metric, is_of_lifetimes ? exemplars_for(metric, all) : nullptr);
    }
    if (type == MetricType::Counter) {
        append_sample(out, name, total, metric, metric.counter.value);
        const tag_exemplars* const exemplars = name == exemplified_family ? exemplars_for(metric, all) : nullptr;
        if (exemplars != nullptr) { append_exemplar(out, exemplars->born); }
    } else {
        append_sample(out, name, "", metric, type == MetricType::Gauge ? metric.gauge.value : metric.untyped.value);
    }
    out += '\n';
}

const char* word_of(MetricType type) noexcept {
    switch (type) {
        case MetricType::Counter:
            return "counter";
        case MetricType::Gauge:
            return "gauge";
        case MetricType::Histogram:
            return "histogram";
        default:
            return "unknown";  // memwatch has no others
    }
}

void append_family(std::string& out, const MetricFamily& family, const exemplars_by_tag& exemplars) {
    std::string_view name = family.name;  // of a counter without the suffix that its sample has
    if (family.type == MetricType::Counter && ends_with(name, total)) { name.remove_suffix(total.size()); }
    out.append("# TYPE ").append(name).append(" ").append(word_of(family.type)).append("\n");
    for (const std::string_view unit : units) {
        if (ends_with(name, std::string("_").append(unit))) {
            out.append("# UNIT ").append(name).append(" ").append(unit).append("\n");
        }
    }
    out.append("# HELP ").append(name).append(" ");
    append_escaped(out, family.help);
    out += '\n';
    for (const ClientMetric& metric : family.metric) { append_metric(out, name, family.type, metric, exemplars); }
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_word(std::string_view text, std::string_view wanted) noexcept {
    return std::equal(text.begin(), text.end(), wanted.begin(), wanted.end(), [](char a, char b) { return lower(a) == b; });
}

std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) { text.remove_prefix(1); }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) { text.remove_suffix(1); }
    return text;
}

std::string_view take_until(std::string_view& rest, char separator) noexcept {
    const std::size_t end = std::min(rest.find(separator), rest.size());
    const std::string_view part = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

// One entry of an Accept header: "application/openmetrics-text; version=1.0.0; q=0.5".
struct media_range {
    std::string_view type;
    std::string_view version;
    double q{1};
};

media_range read_range(std::string_view text) noexcept {
    media_range out;
    out.type = take_until(text, ';');
    while (!text.empty()) {
        std::string_view value = take_until(text, ';');
        const std::string_view name = take_until(value, '=');
        if (is_word(name, "version")) { out.version = value; }
        if (!is_word(name, "q")) { continue; }
        const auto read = std::from_chars(value.data(), value.data() + value.size(), out.q);
        if (read.ec != std::errc{} || !(out.q >= 0 && out.q <= 1)) { out.q = 0; }
    }
    return out;
}

}  // namespace

std::string render_openmetrics(const std::vector<MetricFamily>& families, const exemplars_by_tag& exemplars) {
    std::string out;
    for (const MetricFamily& each : families) { append_family(out, each, exemplars); }
    return out + "# EOF\n";
}

bool wants_openmetrics(std::string_view accept) noexcept {
    double openmetrics = 0;
    double text = 0;
    while (!accept.empty()) {
        const media_range each = read_range(take_until(accept, ','));
        if (is_word(each.type, "text/plain")) { text = std::max(text, each.q); }
        const bool is_known = each.version.empty() || each.version == "1.0.0" || each.version == "0.0.1";
        if (is_word(each.type, "application/openmetrics-text") && is_known) { openmetrics = std::max(openmetrics, each.q); }
    }
    return openmetrics > 0 && openmetrics >= text;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
