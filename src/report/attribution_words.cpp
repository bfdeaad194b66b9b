// SPDX-License-Identifier: Apache-2.0
#include "report/attribution_words.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/model/site_name.hpp>

#include "base/hash.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t name_width = 96;
constexpr std::size_t path_width = 72;
constexpr std::size_t shown_shares = 3;
constexpr std::size_t test_name_width = 60;
constexpr double enough_seconds = 60;                     // below, a figure for a day says from how little it comes
constexpr std::string_view without_route = "(no route)";  // as diff/ names it: nobody to tell of

std::string short_name(std::string_view name) { return elide(bare_function_name(name), name_width); }

std::string plural(double count, const char* one, const char* many) {
    return format_count(count) + " " + (std::lround(count) == 1 ? one : many);
}

std::string of_seconds(double seconds) {
    constexpr double longest = 100.0 * 365 * 86400;
    if (!std::isfinite(seconds) || seconds > longest) { return "over 100 years"; }
    return format_duration(static_cast<std::uint64_t>(seconds * 1e9));
}

std::string label_of(const snapshot_info& info, const char* otherwise) { return info.label.empty() ? otherwise : info.label; }

// "1m30s before AFTER".
std::string before_after(const attribution& a, std::uint64_t at_ns) {
    const std::uint64_t taken = a.change.after.taken_ns;
    return format_duration(taken - std::min(taken, at_ns)) + " before AFTER";
}

// "2025-11-21 23:02:10 UTC (1m30s before AFTER)".
std::string moment_words(const attribution& a, std::uint64_t at_ns) {
    const std::uint64_t started = a.change.after.started_unix_ns;
    if (started == 0) { return before_after(a, at_ns); }
    return format_time(started + at_ns) + " (" + before_after(a, at_ns) + ")";
}

std::string amount_words(const finding& f) {
    if (f.bytes == 0 && f.objects != 0) { return format_count_signed(f.objects) + " objects"; }
    return format_bytes_signed(f.bytes) + (f.bytes_error > 0 ? " +- " + format_bytes(f.bytes_error) : "");
}

std::string speed_words(const finding& f) {
    if (f.known.seconds <= 0) { return "unknown: so is the time between the snapshots"; }
    if (f.bytes == 0) { return fmt::format("{:.1f} objects/s", f.objects / f.known.seconds); }
    std::string words = format_bytes_signed(f.speed.bytes_per_s) + "/s";
    if (f.speed.bytes_per_s_error > 0) { words += " +- " + format_bytes(f.speed.bytes_per_s_error) + "/s"; }
    return words;
}

std::string day_words(const finding& f) {
    std::string words = format_bytes(f.speed.bytes_per_day) + " a day";
    if (f.speed.bytes_per_day_high > f.speed.bytes_per_day_low) {
        words += fmt::format(" (95 %: {} to {})", format_bytes(std::max(0.0, f.speed.bytes_per_day_low)),
                             format_bytes(f.speed.bytes_per_day_high));
    }
    return words;
}

std::string certainty_words(const finding& f) {
    switch (f.sure) {
        case certainty::exact_counter:
            return "exact counter";
        case certainty::every_block:
            return "every block recorded";
        case certainty::sampled:
            break;
    }
    return fmt::format("{:.1f} standard errors", f.standard_errors);
}

sentence place_words(const finding& f) {
    if (f.file.empty()) { return {}; }
    const std::string file = printable(f.file);
    const std::string tail = display_width(file) <= path_width ? file : "..." + file.substr(file.size() - path_width);
    return sentence{}.name(f.line != 0 ? fmt::format("{}:{}", tail, f.line) : tail);
}

// "`/api/v2/orders` (99 %), `/health` (<1 %)"
sentence shares_words(const finding& f, dimension by, std::size_t most) {
    sentence words;
    std::size_t count = 0;
    for (const delta_share& share : f.shares) {
        if (share.by != by || share.name.empty() || share.name == without_route || count == most) { continue; }
        if (count++ != 0) { words.say(", "); }
        words.name(elide(share.name, name_width));
        const std::string part = format_share(share.bytes, f.bytes);
        words.say(" (" + (part.empty() ? format_bytes_signed(share.bytes) : part) + ")");
    }
    return words;
}

void append(sentence& to, const sentence& more) { to.parts.insert(to.parts.end(), more.parts.begin(), more.parts.end()); }

sentence routes_words(const finding& f, std::size_t most) {
    if (f.kind == finding_kind::pool && !f.known.pool.oldest_route.empty()) {
        return sentence{}.name(f.known.pool.oldest_route).say(" (the oldest)");
    }
    return shares_words(f, dimension::route, most);
}

// "23:01:40 UTC, 2m00s before AFTER".
std::string moment_short(const attribution& a, std::uint64_t at_ns) {
    const std::uint64_t started = a.change.after.started_unix_ns;
    return (started == 0 ? std::string() : format_time(started + at_ns).substr(11) + ", ") + before_after(a, at_ns);
}

sentence since_short(const attribution& a, const finding& f) {
    const onset& began = f.since.began;
    if (began.basis != onset_basis::none) {
        return (began.basis == onset_basis::change_point ? "about " : "") + moment_short(a, began.at_ns);
    }
    if (f.since.oldest_live_ns != 0) { return moment_short(a, f.since.oldest_live_ns); }
    return f.since.first_snapshot == 0 ? sentence{"before BEFORE"} : sentence{"after BEFORE"};
}

sentence since_words(const attribution& a, const finding& f) {
    const onset& began = f.since.began;
    sentence words;
    if (began.basis == onset_basis::change_point) {
        words.say(fmt::format("about {}, +- {}: from then on {:.2g} sampled blocks a second stayed alive, before {:.2g}",
                              moment_words(a, began.at_ns), format_duration(began.error_ns), began.rate_after,
                              began.rate_before));
    } else if (began.basis == onset_basis::first_block) {
        words.say(fmt::format("{}, when the oldest block that is alive was allocated; at most about {} earlier",
                              moment_words(a, began.at_ns), format_duration(began.error_ns)));
    } else if (f.since.oldest_live_ns != 0) {
        words.say(moment_words(a, f.since.oldest_live_ns) + ": the oldest that is out");
    } else {
        words.say("unknown: no live record says when it was born");
    }
    if (began.basis == onset_basis::change_point && f.since.oldest_live_ns != 0) {
        words.say(". Oldest block alive: " + before_after(a, f.since.oldest_live_ns));
    }
    if (f.since.first_seen_ns != 0 || f.since.is_first_seen_late) {
        words.say(std::string(". First allocation seen ") + (f.since.is_first_seen_late ? "at or before " : "") +
                  before_after(a, f.since.first_seen_ns));
    }
    if (f.kind == finding_kind::site && f.since.first_snapshot != 0) {
        words.say(". Not there before snapshot ");
        words.name(label_of(a.snapshots[f.since.first_snapshot].info, "AFTER"));
    }
    return words.say(".");
}

sentence what_words(const attribution& a, const finding& f) {
    sentence words;
    if (f.kind == finding_kind::process) {
        words.say(fmt::format("RSS {} -> {}, live blocks {} -> {}",
                              format_bytes(static_cast<double>(f.known.process.resident_before)),
                              format_bytes(static_cast<double>(f.known.process.resident_after)),
                              format_bytes(f.known.process.live_before), format_bytes(f.known.process.live_after)));
        return words;
    }
    words.say(amount_words(f) + " in " + format_count_signed(f.objects) +
              (f.kind == finding_kind::pool ? " objects" : " blocks"));
    if (f.known.mean_block_bytes() > 0) { words.say(" of " + format_bytes(f.known.mean_block_bytes()) + " on average"); }
    if (!f.type.empty()) { words.say(", type ").name(elide(f.type, name_width)); }
    if (f.known.is_tagged) { words.say(", tag ").name(f.tag); }
    if (!f.pool.empty()) { words.say(", pool ").name(f.pool); }
    words.say("; now " + format_bytes(f.live_bytes));
    if (f.rows.size() > 1) { words.say(fmt::format(", from {} call paths that share the allocating end", f.rows.size())); }
    const match_rung rung = f.rows.empty() ? match_rung::exact : a.change.rows[f.rows.front()].rung;
    if (rung == match_rung::frames || rung == match_rung::function) {
        words.say(std::string(". Matched across builds by ") +
                  (rung == match_rung::frames ? "its innermost functions" : "its function alone"));
    }
    return words.say(".");
}

sentence where_words(const finding& f) {
    sentence words;
    if (f.function.empty()) { return words; }
    words.name(short_name(f.function));
    if (const sentence place = place_words(f); !place.empty()) {
        words.say(" at ");
        append(words, place);
    }
    return words;
}

sentence sure_words(const finding& f) {
    sentence words;
    switch (f.sure) {
        case certainty::exact_counter:
            words.say("Exact: counted, not sampled");
            break;
        case certainty::every_block:
            words.say(f.kind == finding_kind::process ? "RSS is the kernel's figure, live blocks are all recorded"
                                                      : "Every block is recorded: no sampling error");
            break;
        case certainty::sampled:
            words.say(fmt::format("{} is {:.1f} standard errors above nothing ({}); two and less could be sampling alone",
                                  format_bytes_signed(f.bytes), f.standard_errors,
                                  plural(static_cast<double>(f.samples), "sample", "samples")));
            break;
    }
    if (f.known.steady_share >= 0) {
        words.say(fmt::format(". {:.0f} % of the growth came evenly over the time between", 100 * f.known.steady_share));
    }
    if (f.known.has_tag_counter) {
        words.say(". The counter of tag ")
            .name(f.tag)
            .say(" says exactly " + format_bytes_signed(f.known.tag_grown_bytes) + " for the whole tag");
    }
    return words.say(".");
}

sentence impact_words(const attribution& a, const finding& f) {
    sentence words;
    if (f.bytes <= 0 || f.speed.bytes_per_s <= 0) { return words; }
    if (const hint* fix = f.likely_fix(); fix != nullptr && fix->kind == hint_kind::wait) {
        return words.say("It came in a part of the time only, so nothing is projected.");
    }
    const bool is_brief = f.known.seconds < enough_seconds;
    words.say(is_brief ? "If it goes on as in these " + of_seconds(f.known.seconds) + ": " : std::string("If it goes on: "));
    words.say(day_words(f));
    if (f.kind != finding_kind::process && f.speed.seconds_to_double) {
        words.say("; its own memory doubles in " + of_seconds(*f.speed.seconds_to_double));
    }
    if (f.speed.seconds_to_double_rss) {
        words.say(", RSS (" + format_bytes(static_cast<double>(a.change.after.resident_bytes)) + ") in " +
                  of_seconds(*f.speed.seconds_to_double_rss));
    }
    if (f.speed.seconds_to_limit) {
        words.say(", the limit of " + format_bytes(a.options.limit_bytes) + " is reached in " +
                  of_seconds(*f.speed.seconds_to_limit));
    }
    return words.say(".");
}

sentence fate_words(const finding& f) {
    if (f.known.born_bytes <= 0) { return {}; }
    std::string words = format_bytes(f.known.born_bytes) + " allocated " +
                        (f.known.is_between ? "between the snapshots" : "since the process started") + ", ";
    if (f.known.freed_bytes <= 0) { return words + "none of it freed."; }
    words += format_bytes(f.known.freed_bytes) + " of it freed";
    return words + (f.known.freed_elsewhere_bytes > 0
                        ? fmt::format(", {:.0f} % of that by another thread.", 100 * f.known.freed_elsewhere_share())
                        : std::string(", by the threads that allocated it."));
}

sentence traces_words(const finding& f) {
    sentence words;
    for (std::size_t i = 0; i < f.trace_ids.size(); ++i) {
        if (i != 0) { words.say(", "); }
        words.name(f.trace_ids[i]);
    }
    return words;
}

sentence hand_off_words(const finding& f) {
    sentence words;
    for (std::size_t i = 0; i < f.hand_offs.size(); ++i) {
        const hand_off& each = f.hand_offs[i];
        words.say(i == 0 ? "Of these threads, whatever they made: " : ", ").name(each.from).say(" -> ").name(each.to);
        words.say(" (" + format_bytes(each.freed.bytes) + " freed)");
    }
    return words;
}

sentence rank_words(const finding& f) {
    if (f.rank.score <= 0) { return {}; }
    return fmt::format("Score {:.2f}: growth volatility {:.2f}, long-lived share {:.2f}, business weight {:.2f}.", f.rank.score,
                       f.rank.volatility, f.rank.long_lived, f.rank.weight);
}

// "What it looked like at each snapshot", where there are more than two.
sentence course_words(const attribution& a, const finding& f) {
    if (f.course.size() < 3) { return {}; }
    sentence words;
    for (std::size_t i = 0; i < f.course.size(); ++i) {
        if (i != 0) { words.say(", "); }
        words.name(label_of(a.snapshots[i].info, "-")).say(std::isfinite(f.course[i]) ? " " + format_bytes(f.course[i]) : " ?");
    }
    return words;
}

bool is_identifier(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

sentence finding_title(const finding& f) {
    if (f.kind == finding_kind::process) { return "Memory the allocator keeps"; }
    if (f.kind == finding_kind::pool) { return sentence{"Pool "}.name(f.pool); }
    return sentence{}.name(short_name(f.function));
}

sentence title_words(const attribution& a) {
    sentence words{"Memory report: "};
    const snapshot_info& after = a.change.after;
    words.name(after.service.empty() ? base_name(after.executable) : std::string_view(after.service));
    words.say(a.change.seconds > 0 ? ", " + of_seconds(a.change.seconds) + " from " : ", from ");
    words.name(label_of(a.change.before, "BEFORE")).say(" to ").name(label_of(after, "AFTER"));
    return words;
}

sentence summary_words(const attribution& a) {
    const std::size_t count = a.findings.size() + a.more_findings;
    if (count == 0) {
        sentence words{"Nothing grew by " + format_bytes(a.options.threshold_bytes) + " or more with certainty."};
        if (!a.change.rows.empty() && a.change.rows.front().bytes > 0) {
            const delta_row& most = a.change.rows.front();
            words.say(" The most: " + format_bytes_signed(most.bytes) +
                      (most.bytes_standard_error > 0 ? " +- " + format_bytes(most.bytes_standard_error) : "") + " at ");
            words.name(short_name(most.name)).say(most.is_significant() ? "." : ", within sampling error.");
        }
        return words;
    }
    const finding& f = a.findings.front();
    sentence words{plural(static_cast<double>(count), "finding", "findings")};
    if (a.to_wait_for != 0) {
        words.say(fmt::format(", {} to look at again",
                              a.to_wait_for == count ? "only" : format_count(static_cast<double>(a.to_wait_for))));
    }
    words.say(count == 1 ? ": " : ". The first: ");
    append(words, finding_title(f));
    if (const sentence place = place_words(f); !place.empty()) {
        words.say(" (");
        append(words, place);
        words.say(")");
    }
    words.say(" grew by " + amount_words(f));
    if (f.known.is_tagged) { words.say(", tag ").name(f.tag); }
    if (!f.type.empty()) { words.say(", type ").name(elide(f.type, name_width)); }
    if (const sentence routes = routes_words(f, 1); !routes.empty()) {
        words.say(", for route ");
        append(words, routes);
    }
    words.say("; since ");
    append(words, since_short(a, f));
    words.say(", " + speed_words(f) + ", " + certainty_words(f) + ".");
    if (const hint* fix = f.likely_fix(); fix != nullptr) {
        words.say((fix->kind == hint_kind::wait ? std::string(" Advice: ") : std::string(" Likely fix: ")) + fix->title + ".");
    }
    return words;
}

overview overview_words(const attribution& a, const finding& f) {
    overview o;
    o.what = sentence{amount_words(f)};
    if (!f.type.empty()) { o.what.say(" ").name(elide(f.type, 48)); }
    if (f.known.is_tagged) { o.what.say(", tag ").name(f.tag); }
    o.where = finding_title(f);
    if (const sentence place = place_words(f); !place.empty()) {
        o.where.say(" ");
        append(o.where, place);
    }
    o.since = since_short(a, f);
    o.speed = speed_words(f);
    o.certain = certainty_words(f);
    o.whom = routes_words(f, 2);
    const hint* fix = f.likely_fix();
    o.fix = fix == nullptr ? "no rule applies" : fix->title;
    return o;
}

// What the process itself thought of the place: "leak_retained (97 % sure, warning), keeps 52.0 MiB at 1.3 MiB/s since 09:32:00
// UTC, 21.3 s before AFTER", "inconclusive: too_few_samples".
sentence verdict_words(const attribution& a, const finding& f) {
    if (!f.judged) { return {}; }
    const verdict& v = *f.judged;
    std::string words(word_of(v.kind));
    if (v.kind == verdict_class::inconclusive) { return sentence{words + ": " + std::string(word_of(v.doubt))}; }
    if (level_of(v.kind) == verdict_level::none) { return sentence{words + ", no leak"}; }
    words +=
        fmt::format(" ({:.0f} % sure, {}), keeps {}", 100 * v.confidence, word_of(v.severity), format_bytes(v.retained_bytes));
    if (v.rate_bytes_per_second > 0) { words += " at " + format_bytes(v.rate_bytes_per_second) + "/s"; }
    return sentence{words + " since " + moment_short(a, v.since_ns)};
}

std::vector<labelled> evidence_words(const attribution& a, const finding& f) {
    std::vector<labelled> lines{
        {"What", what_words(a, f)},        {"Where", where_words(f)},
        {"Since when", since_words(a, f)}, {"How fast", sentence{speed_words(f) + "."}},
        {"How sure", sure_words(f)},       {"Verdict", verdict_words(a, f)},
        {"Impact", impact_words(a, f)},    {"Routes", routes_words(f, shown_shares)},
        {"Trace ids", traces_words(f)},    {"Threads", shares_words(f, dimension::thread, shown_shares)},
        {"Hand-offs", hand_off_words(f)},  {"Lifecycle", fate_words(f)},
        {"Course", course_words(a, f)},    {"Ranking", rank_words(f)}};
    std::erase_if(lines, [](const labelled& line) { return line.words.empty(); });
    return lines;
}

const std::vector<const char*>& snapshot_columns() {
    static const std::vector<const char*> columns{"snapshot", "process", "taken",         "up",
                                                  "live",     "RSS",     "sampled every", "build"};
    return columns;
}

std::vector<sentence> snapshot_cells(const compared_snapshot& s) {
    const snapshot_info& info = s.info;
    sentence process;
    process.name(info.service.empty() ? base_name(info.executable) : std::string_view(info.service))
        .say(fmt::format(" pid {}", info.pid));
    if (!info.host.empty()) { process.say(" on ").name(info.host); }
    return {sentence{}.name(label_of(info, "-")),
            process,
            info.started_unix_ns == 0 ? sentence{"?"} : sentence{format_time(info.started_unix_ns + info.taken_ns)},
            sentence{format_duration(info.taken_ns)},
            sentence{format_estimate(s.live_bytes, s.live_error)},
            info.resident_bytes == 0 ? sentence{"?"} : sentence{format_bytes(static_cast<double>(info.resident_bytes))},
            info.interval_bytes == 0 ? sentence{"block"} : sentence{format_bytes(static_cast<double>(info.interval_bytes))},
            s.build_id.empty() ? sentence{"?"} : sentence{}.name(s.build_id.substr(0, 12))};
}

std::string regression_test_name(const finding& f) {
    const std::string source = f.kind == finding_kind::pool ? "pool_" + f.pool : bare_function_name(f.function);
    std::string name;
    int depth = 0;  // template arguments make names long and say little
    for (const char c : source) {
        depth += c == '<' ? 1 : c == '>' && depth > 0 ? -1 : 0;
        if (depth > 0 || name.size() >= test_name_width) { continue; }
        if (is_identifier(c)) {
            name += c;
        } else if (!name.empty() && name.back() != '_') {
            name += '_';
        }
    }
    while (!name.empty() && name.back() == '_') { name.pop_back(); }
    if (name.empty()) { name = "site"; }
    // Keeps overloads, call paths and pools of similar names apart.
    const std::string key = fmt::format("{:08x}", static_cast<std::uint32_t>(hash_text(to_string(f.kind) + f.key)));
    return name + "_" + key + "_test.cpp";
}

bool has_regression_test(const finding& f) noexcept { return f.kind != finding_kind::process; }

std::string iso_time(std::uint64_t unix_ns) {
    if (unix_ns == 0) { return {}; }
    std::string text = format_time(unix_ns);  // "2025-11-21 22:59:29 UTC"
    text[10] = 'T';
    return text.substr(0, 19) + "Z";
}

}  // namespace v1
}  // namespace memwatch
