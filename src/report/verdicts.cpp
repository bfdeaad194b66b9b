// SPDX-License-Identifier: Apache-2.0
#include "report/verdicts.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/model/site_name.hpp>

#include "base/json_writer.hpp"
#include "model/sampling_stop.hpp"
#include "report/evidence.hpp"
#include "report/json.hpp"
#include "report/text_table.hpp"
#include "verdict/sentence.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t format_version = 1;
constexpr std::size_t shown_stack_lines = 12;
constexpr std::size_t told_routes = 3;
constexpr std::size_t widest_name = 56;

std::string name_of(const snapshot& s, const verdict& of) {
    return of.subject == verdict_subject::pool ? s.pools[of.index].name : site_name(s, s.sites[of.index]);
}

// Which one to read first.
bool comes_first(const verdict& a, const verdict& b) noexcept {
    const auto rank = [](const verdict& v) { return std::tuple(level_of(v.kind), v.severity, v.retained_bytes, v.confidence); };
    return rank(a) > rank(b);
}

bool is_chosen(const verdict& v, const verdict_choice& choice) noexcept {
    return choice.only ? v.kind == *choice.only : level_of(v.kind) >= choice.least;
}

// What is kept was born after it began to be kept, and two epochs ago or earlier: younger blocks may be on their way.
birth_range births_kept(const snapshot_info& info, const verdict& of) noexcept {
    const std::uint64_t young_ns = 2 * info.epoch_ns;
    return {of.since_ns, info.taken_ns > young_ns ? info.taken_ns - young_ns : 0};
}

void add_evidence(const snapshot& s, const site_evidence& from, judged& to) {
    const double all = std::accumulate(from.routes.begin(), from.routes.end(), 0.0,
                                       [](double sum, const auto& route) { return sum + route.second; });
    for (const auto& [route, bytes] : from.routes) {
        if (!s.routes[route].empty()) { to.routes.emplace_back(s.routes[route], all > 0 ? bytes / all : 0); }
    }
    to.traces = from.traces;
}

// A summary has no records, but an example of each site.
void add_example(const snapshot& s, judged& to) {
    const auto found =
        std::find_if(s.examples.begin(), s.examples.end(), [&](const trace_example& each) { return each.site == to.of.index; });
    if (found != s.examples.end() && found->trace.is_valid()) { to.traces.push_back(found->trace); }
}

// Of the sites among `rows`: whom their kept blocks were allocated for; of one that keeps nothing yet, all of its blocks.
void add_evidence(const snapshot& s, std::vector<judged>& rows) {
    std::vector<std::uint32_t> sites;
    std::vector<birth_range> births;
    std::vector<judged*> targets;
    for (judged& each : rows) {
        if (each.of.subject != verdict_subject::site) { continue; }
        sites.push_back(each.of.index);
        births.push_back(births_kept(s.info, each.of));
        targets.push_back(&each);
    }
    if (sites.empty()) { return; }  // a pass over all records for nobody
    const std::vector<site_evidence> kept = gather_evidence(s, sites, births);
    const std::vector<site_evidence> all = gather_evidence(s, sites);
    for (std::size_t i = 0; i < targets.size(); ++i) {
        add_evidence(s, kept[i].routes.empty() ? all[i] : kept[i], *targets[i]);
        if (targets[i]->traces.empty()) { add_example(s, *targets[i]); }
    }
}

void describe_site(const snapshot& s, judged& to) {
    const site& where = s.sites[to.of.index];
    to.key = site_key(s, where);
    to.type = where.type;
    to.tag = s.tags[where.tag].name;
    to.live_bytes = where.live.bytes;
    std::vector<frame> frames;
    for (const std::uint32_t index : s.stacks[where.stack].frames) { frames.push_back(s.frames[index]); }
    to.stack = user_frames(frames, s.modules, shown_stack_lines);
}

void describe_pool(const snapshot& s, judged& to) {
    const pool_totals& pool = s.pools[to.of.index];
    to.key = pool.name;
    to.tag = pool.tag;
    to.live_bytes = static_cast<double>(pool.in_use) * static_cast<double>(pool.object_bytes);
    if (pool.oldest_frame != 0) { to.stack = user_frames({s.frames[pool.oldest_frame - 1]}, s.modules, 1); }
    if (pool.oldest_route != 0) { to.routes.emplace_back(s.routes[pool.oldest_route], 0); }
    if (pool.oldest_trace.is_valid()) { to.traces.push_back(pool.oldest_trace); }
}

judged describe(const snapshot& s, const verdict& of, const retained_for& whom) {
    judged out;
    out.of = of;
    out.name = name_of(s, of);
    of.subject == verdict_subject::pool ? describe_pool(s, out) : describe_site(s, out);
    out.sentence = sentence(of, s, whom);
    out.change_of_mind = change_of_mind(of);
    return out;
}

std::string plural(std::size_t count, const char* one) {
    return fmt::format("{} {}{}", format_count(static_cast<double>(count)), one, count == 1 ? "" : "s");
}

// "52.0 MiB at 1.3 MiB/s"
std::string kept_words(const verdict& of) {
    std::string words = format_bytes(of.retained_bytes);
    if (of.rate_bytes_per_second > 0) { words += " at " + format_bytes(of.rate_bytes_per_second) + "/s"; }
    return words;
}

// "97 %"; a share is never called whole, nor nothing, by rounding.
std::string percent(double share) {
    if (share > 0 && share < 0.01) { return "<1 %"; }
    if (share < 1 && share > 0.99) { return ">99 %"; }
    return fmt::format("{:.0f} %", 100 * share);
}

std::string amounts(const std::vector<std::pair<std::string_view, std::size_t>>& counts) {
    std::string words;
    for (const auto& [word, count] : counts) {
        if (count == 0) { continue; }
        words += (words.empty() ? "" : ", ") + fmt::format("{} {}", format_count(static_cast<double>(count)), word);
    }
    return words;
}

template <class Enum, std::size_t Size>
std::vector<std::pair<std::string_view, std::size_t>> counted_words(const std::array<std::size_t, Size>& counts) {
    std::vector<std::pair<std::string_view, std::size_t>> out;
    for (std::size_t i = 0; i < Size; ++i) { out.emplace_back(word_of(static_cast<Enum>(i)), counts[i]); }
    return out;
}

// "1 leak, 2 suspects of 120 judged: 1 leak_retained, 2 suspect_growth, 17 inconclusive (9 too_few_samples, 8 too_short), 100
// steady"
std::string count_words(const verdict_list& list) {
    if (list.judged_count() == 0) { return "nothing was judged yet"; }
    std::string words = fmt::format("{}, {} of {} judged: ", plural(list.count(verdict_level::leak), "leak"),
                                    plural(list.count(verdict_level::suspect), "suspect"),
                                    format_count(static_cast<double>(list.judged_count())));
    auto classes = counted_words<verdict_class>(list.classes);
    std::reverse(classes.begin(), classes.end());  // what matters most comes last in the enum
    words += amounts(classes);
    const std::string doubts = amounts(counted_words<verdict_doubt>(list.doubts));
    return doubts.empty() ? words : words + " (" + doubts + ")";
}

std::string title_words(const verdict_list& list) {
    const snapshot_info& info = list.info;
    const std::string service = printable(info.service.empty() ? std::string(base_name(info.executable)) : info.service);
    std::string words = fmt::format("{}  pid {}  up {}", service, info.pid, format_duration(info.taken_ns));
    if (info.started_unix_ns != 0) { words += "  at " + format_time(info.started_unix_ns + info.taken_ns); }
    return words;
}

std::string since_words(const snapshot_info& info, const verdict& of) {
    if (of.since_ns == 0) { return "-"; }
    return info.taken_ns > of.since_ns ? format_duration(info.taken_ns - of.since_ns) + " ago" : "now";
}

std::string doubt_or_class(const verdict& of) {
    std::string words(word_of(of.kind));
    if (of.doubt != verdict_doubt::none) { words += fmt::format(" ({})", word_of(of.doubt)); }
    return words;
}

// "plateau 0.98 (+2.1), generations 12 (+1.4)": what speaks for and against it, the weightiest first.
std::string feature_words(const verdict& of) {
    std::vector<verdict_feature> features = of.features;
    std::stable_sort(features.begin(), features.end(), [](const verdict_feature& a, const verdict_feature& b) {
        return std::abs(a.contribution) > std::abs(b.contribution);
    });
    std::string words;
    for (const verdict_feature& each : features) {
        words +=
            (words.empty() ? "" : ", ") + fmt::format("{} {:.3g} ({:+.1f})", word_of(each.kind), each.value, each.contribution);
    }
    return words;
}

// "/api/v2/orders (99 %), /health (<1 %)"
std::string route_words(const judged& of, std::string (*quote)(std::string_view)) {
    std::string words;
    for (std::size_t i = 0; i < of.routes.size() && i < told_routes; ++i) {
        const auto& [route, share] = of.routes[i];
        words += (words.empty() ? "" : ", ") + quote(route) + (share > 0 ? " (" + percent(share) + ")" : "");
    }
    return words;
}

std::string trace_words(const judged& of) {
    std::vector<std::string> ids;
    for (const trace_id each : of.traces) { ids.push_back(to_string(each)); }
    return fmt::format("{}", fmt::join(ids, ", "));
}

std::string place_of(const judged& of) { return of.stack.empty() ? std::string() : of.stack.front().place; }

std::string quote_printable(std::string_view text) { return printable(text); }

struct labelled_line {
    const char* label;
    std::string words;
};

// What stands under a row, in text and in Markdown; names neutralised by `quote`.
std::vector<labelled_line> detail_lines(const judged& of, std::string (*quote)(std::string_view)) {
    std::vector<labelled_line> lines;
    const auto add = [&](const char* label, std::string words) {
        if (!words.empty()) { lines.push_back({label, std::move(words)}); }
    };
    std::string where = place_of(of).empty() ? std::string() : quote(place_of(of));
    for (const auto& [label, name] : {std::pair{"tag ", &of.tag}, {"type ", &of.type}}) {
        if (!name->empty()) { where += (where.empty() ? "" : ", ") + std::string(label) + quote(elide(*name, widest_name)); }
    }
    add("where", std::move(where));
    add("for", route_words(of, quote));
    add(of.traces.size() == 1 ? "trace" : "traces", trace_words(of));
    add("evidence", feature_words(of.of));
    return lines;
}

text_style style_of(verdict_level level) noexcept {
    return level == verdict_level::leak      ? text_style::growth
           : level == verdict_level::suspect ? text_style::caution
                                             : text_style::plain;
}

void add_row(text_table& table, const snapshot_info& info, const judged& row) {
    const verdict& v = row.of;
    table.add_row(
        {doubt_or_class(v), percent(v.confidence), std::string(word_of(v.severity)), format_bytes(v.retained_bytes),
         v.rate_bytes_per_second == 0 ? "-" : format_bytes_signed(v.rate_bytes_per_second) + "/s", since_words(info, v),
         (v.subject == verdict_subject::pool ? "pool " : "") + elide(printable(row.name), widest_name)},
        style_of(level_of(v.kind)));
    if (!row.sentence.empty()) { table.add_note(printable(row.sentence)); }
    for (const labelled_line& line : detail_lines(row, quote_printable)) {
        table.add_note(std::string(line.label) + ": " + line.words);
    }
}

std::string more_words(const verdict_list& list) {
    if (list.rows.size() >= list.total_rows) { return {}; }
    return fmt::format("{} of {} rows\n", list.rows.size(), list.total_rows);
}

// --- JSON

template <class Enum, std::size_t Size>
void write_counts(json_writer& json, const std::array<std::size_t, Size>& counts) {
    json.begin_object();
    for (const auto& [word, count] : counted_words<Enum>(counts)) { json.key(word).value(std::uint64_t{count}); }
    json.end_object();
}

void write_text(json_writer& json, const char* key, const std::string& text) {
    json.key(key);
    text.empty() ? json.null() : json.value(text);
}

void write_figures(json_writer& json, const verdict& v) {
    json.key("looks").value(std::uint64_t{v.looks});
    json.key("generations").value(std::uint64_t{v.generations});
    json.key("retained_bytes").value(v.retained_bytes);
    json.key("retained_objects").value(v.retained_objects);
    json.key("rate_bytes_per_s").value(v.rate_bytes_per_second);
    json.key("rate_error_bytes_per_s").value(v.rate_error);
    json.key("kept_share").value(v.kept_share);
    json.key("kept_share_low").value(v.kept_share_low);
    json.key("kept_share_high").value(v.kept_share_high);
    json.key("freed_objects").value(v.freed_objects);
    json.key("follow_up").value(v.follow_up);
    json.key("bytes_per_trace").value(v.bytes_per_trace);
    json.key("escaped_share").value(v.escaped_share);
    json.key("other_thread_share").value(v.other_thread_share);
}

void write_features(json_writer& json, const std::vector<verdict_feature>& features) {
    json.begin_array();
    for (const verdict_feature& each : features) {
        json.begin_object();
        json.key("feature").value(word_of(each.kind));
        json.key("value").value(each.value);
        json.key("contribution").value(each.contribution);
        json.end_object();
    }
    json.end_array();
}

void write_whom(json_writer& json, const judged& row) {
    json.key("routes").begin_array();
    for (const auto& [route, share] : row.routes) {
        json.begin_object();
        json.key("route").value(route);
        json.key("share");
        share > 0 ? json.value(share) : json.null();
        json.end_object();
    }
    json.end_array();
    json.key("trace_ids").begin_array();
    for (const trace_id each : row.traces) { json.value(to_string(each)); }
    json.end_array();
    json.key("stack").begin_array();
    for (const frame_words& f : row.stack) { json.value(f.place.empty() ? f.function : f.function + " " + f.place); }
    json.end_array();
}

void write_row(json_writer& json, const snapshot_info& info, const judged& row) {
    const verdict& v = row.of;
    json.new_line();
    json.begin_object();
    json.key("subject").value(word_of(v.subject));
    json.key(word_of(v.subject)).value(row.key);
    json.key("name").value(row.name);
    write_text(json, "type", row.type);
    write_text(json, "tag", row.tag);
    json.key("class").value(word_of(v.kind));
    json.key("level").value(word_of(level_of(v.kind)));
    json.key("severity").value(word_of(v.severity));
    json.key("doubt").value(word_of(v.doubt));
    json.key("confidence").value(v.confidence);
    json.key("exact").value(v.is_exact);
    json.key("since_ns").value(v.since_ns);
    json.key("since_unix_ns");
    info.started_unix_ns == 0 || v.since_ns == 0 ? json.null() : json.value(info.started_unix_ns + v.since_ns);
    json.key("decided_ns").value(v.decided_ns);
    json.key("live_bytes").value(row.live_bytes);
    write_figures(json, v);
    write_whom(json, row);
    write_features(json.key("features"), v.features);
    write_text(json, "sentence", row.sentence);
    write_text(json, "change_of_mind", row.change_of_mind);
    json.end_object();
}

}  // namespace

std::size_t verdict_list::judged_count() const noexcept {
    return std::accumulate(classes.begin(), classes.end(), std::size_t{});
}

verdict_list list_verdicts(const snapshot& s, const verdict_choice& choice) {
    verdict_list list;
    list.info = s.info;
    list.not_sampled = sampling_stop_words(s);
    std::vector<const verdict*> chosen;
    for (const verdict& each : s.verdicts) {
        ++list.classes[static_cast<std::size_t>(each.kind)];
        ++list.levels[static_cast<std::size_t>(level_of(each.kind))];
        if (each.doubt != verdict_doubt::none) { ++list.doubts[static_cast<std::size_t>(each.doubt)]; }
        if (is_chosen(each, choice)) { chosen.push_back(&each); }
    }
    std::stable_sort(chosen.begin(), chosen.end(), [](const verdict* a, const verdict* b) { return comes_first(*a, *b); });
    list.total_rows = chosen.size();
    if (choice.top != 0 && chosen.size() > choice.top) { chosen.resize(choice.top); }
    const std::vector<retained_for> whom = retained_for_whom(chosen, s);
    for (std::size_t i = 0; i < chosen.size(); ++i) { list.rows.push_back(describe(s, *chosen[i], whom[i])); }
    add_evidence(s, list.rows);
    return list;
}

namespace {

std::string headline_of_verdicts(const snapshot& s) {
    std::size_t leaks = 0;
    std::size_t suspects = 0;
    const verdict* worst = nullptr;
    for (const verdict& each : s.verdicts) {
        leaks += level_of(each.kind) == verdict_level::leak ? 1 : 0;
        suspects += level_of(each.kind) == verdict_level::suspect ? 1 : 0;
        if (level_of(each.kind) != verdict_level::none && (worst == nullptr || comes_first(each, *worst))) { worst = &each; }
    }
    if (worst == nullptr) {
        return fmt::format("no leak, no suspect ({} judged)", format_count(static_cast<double>(s.verdicts.size())));
    }
    const bool is_pool = worst->subject == verdict_subject::pool;
    const std::string first = (is_pool ? "pool " : "") + elide(printable(bare_function_name(name_of(s, *worst))), widest_name) +
                              ", " + kept_words(*worst) + (leaks + suspects > 1 ? " first of all" : "");
    if (leaks == 0) { return fmt::format("no leak, {}: {}", plural(suspects, "suspect"), first); }
    return fmt::format("{}: {}{}", plural(leaks, "leak"), first, suspects == 0 ? "" : "; " + plural(suspects, "suspect"));
}

}  // namespace

std::string verdict_headline(const snapshot& s) {
    if (s.verdicts.empty()) { return {}; }
    const char* const why = why_nothing_is_sampled(s);
    return headline_of_verdicts(s) + (why == nullptr ? std::string() : fmt::format("; nothing is sampled ({})", why));
}

std::string render_text(const verdict_list& list, bool colour) {
    using align = text_table::align;
    std::string text = styled(title_words(list), text_style::bold, colour) + "\n" + count_words(list) + "\n";
    if (!list.not_sampled.empty()) { text += styled(list.not_sampled, text_style::caution, colour) + "\n"; }
    text_table table(colour);
    table.add_column("class", align::left);
    table.add_column("sure", align::right);
    table.add_column("severity", align::left);
    table.add_column("kept", align::right);
    table.add_column("rate", align::right);
    table.add_column("since", align::right);
    table.add_column("site", align::left);
    for (const judged& row : list.rows) { add_row(table, list.info, row); }
    if (!table.empty()) { text += "\n" + table.render() + more_words(list); }
    return text;
}

std::string render_markdown(const verdict_list& list) {
    std::string text = fmt::format("# Verdicts: {}, pid {}\n\n{}\n",
                                   code_span(list.info.service.empty() ? base_name(list.info.executable) : list.info.service),
                                   list.info.pid, count_words(list));
    if (!list.not_sampled.empty()) { text += "\n" + list.not_sampled + "\n"; }
    if (list.rows.empty()) { return text; }
    text += "\n| class | sure | severity | kept | rate | since | where |\n|---|--:|---|--:|--:|--:|---|\n";
    for (const judged& row : list.rows) {
        const verdict& v = row.of;
        text += fmt::format("| {} | {} | {} | {} | {} | {} | {}{} |\n", doubt_or_class(v), percent(v.confidence),
                            word_of(v.severity), format_bytes(v.retained_bytes),
                            v.rate_bytes_per_second == 0 ? "-" : format_bytes_signed(v.rate_bytes_per_second) + "/s",
                            since_words(list.info, v), v.subject == verdict_subject::pool ? "pool " : "",
                            code_span(elide(row.name, widest_name)));
    }
    for (const judged& row : list.rows) {
        text += fmt::format("\n## {}: {}\n\n", word_of(row.of.kind), code_span(row.name));
        if (!row.sentence.empty()) { text += code_span(row.sentence) + "\n\n"; }
        for (const labelled_line& line : detail_lines(row, code_span)) {
            text += fmt::format("- {}: {}\n", line.label, line.words);
        }
        for (const frame_words& f : row.stack) {
            text += fmt::format("  1. {}{}\n", code_span(f.function), f.place.empty() ? "" : " " + code_span(f.place));
        }
    }
    const std::string more = more_words(list);
    return more.empty() ? text : text + "\n" + more;
}

std::string render_json(const verdict_list& list) {
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.verdicts");
    json.key("version").value(format_version);
    json.new_line();
    write_json(json.key("snapshot"), list.info);
    json.new_line();
    if (!list.not_sampled.empty()) { json.key("not_sampled").value(list.not_sampled); }
    json.key("judged").value(std::uint64_t{list.judged_count()});
    json.key("leaks").value(std::uint64_t{list.count(verdict_level::leak)});
    json.key("suspects").value(std::uint64_t{list.count(verdict_level::suspect)});
    write_counts<verdict_class>(json.key("classes"), list.classes);
    write_counts<verdict_doubt>(json.key("doubts"), list.doubts);
    json.new_line();
    json.key("total_rows").value(std::uint64_t{list.total_rows});
    json.key("rows").begin_array();
    for (const judged& row : list.rows) { write_row(json, list.info, row); }
    json.end_array();
    json.end_object();
    return json.take();
}

}  // namespace v1
}  // namespace memwatch
