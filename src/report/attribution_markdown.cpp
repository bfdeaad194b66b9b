// SPDX-License-Identifier: Apache-2.0
#include "report/attribution_markdown.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "report/attribution_words.hpp"
#include "report/findings.hpp"
#include "report/metrics.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t shown_frames = 16;
constexpr int schema_version = 1;

// Text of our own: nothing in it means anything to Markdown but what is written on purpose. "<" could start a tag.
std::string own_words(const std::string& text) {
    std::string safe;
    for (const char c : text) { safe += c == '<' ? std::string("&lt;") : c == '|' ? std::string("\\|") : std::string(1, c); }
    return safe;
}

std::string name_span(const std::string& name) { return code_span(name); }

std::string markdown(const sentence& words) { return words.render(name_span, own_words); }

std::string cell(const sentence& words) { return words.empty() ? "-" : markdown(words); }

// --- front matter

std::string yaml_number(double value) { return std::isfinite(value) ? fmt::format("{:.1f}", value) : "null"; }

std::string yaml_snapshot(const compared_snapshot& s) {
    const snapshot_info& info = s.info;
    const std::string taken = info.started_unix_ns == 0 ? std::string() : iso_time(info.started_unix_ns + info.taken_ns);
    return fmt::format(
        "  - {{id: {}, label: {}, service: {}, host: {}, pid: {}, taken: {}, build: {}, fingerprint: {}, interval_bytes: {}, "
        "live_bytes: {}, "
        "resident_bytes: {}}}\n",
        yaml_string(s.id), yaml_string(info.label), yaml_string(info.service), yaml_string(info.host), info.pid,
        taken.empty() ? "null" : yaml_string(taken), yaml_string(s.build_id), yaml_string(s.fingerprint), info.interval_bytes,
        yaml_number(s.live_bytes), info.resident_bytes);
}

std::string yaml_finding(const finding& f) {
    const hint* fix = f.likely_fix();
    return fmt::format(
        "  - {{kind: {}, id: {}, name: {}, place: {}, tag: {}, type: {}, bytes: {}, standard_error: {}, bytes_per_s: {}, "
        "bytes_per_day: "
        "{}, likely_fix: {}, verdict: {}}}\n",
        to_string(f.kind), yaml_string(f.key), yaml_string(finding_title(f).plain()),
        yaml_string(f.file.empty() ? std::string() : fmt::format("{}:{}", f.file, f.line)), yaml_string(f.tag),
        yaml_string(f.type), yaml_number(f.bytes), yaml_number(f.bytes_error), yaml_number(f.speed.bytes_per_s),
        yaml_number(f.speed.bytes_per_day), fix == nullptr ? "null" : fix->rule, f.judged ? word_of(f.judged->kind) : "null");
}

std::string front_matter(const attribution& a, const attribution_text_options& options) {
    std::string yaml = "---\nkind: memwatch.attribution\n";
    yaml += fmt::format("schema_version: {}\ntool_version: {}\n", schema_version, yaml_string(options.tool_version));
    yaml += "summary: " + yaml_string(summary_words(a).plain()) + "\n";
    yaml += a.snapshots.empty() ? "snapshots: []\n" : "snapshots:\n";
    for (const compared_snapshot& s : a.snapshots) { yaml += yaml_snapshot(s); }
    const delta_row& total = a.change.total;
    yaml += "seconds: " + yaml_number(a.change.seconds) + "\n";
    yaml += fmt::format("thresholds: {{growth_bytes: {}, standard_errors: 2, limit_bytes: {}}}\n",
                        yaml_number(a.options.threshold_bytes),
                        a.options.limit_bytes > 0 ? yaml_number(a.options.limit_bytes) : "null");
    yaml += fmt::format(
        "totals: {{live_bytes_before: {}, live_bytes_after: {}, growth_bytes: {}, standard_error: {}, growth_objects: {}, "
        "bytes_per_s: "
        "{}}}\n",
        yaml_number(total.before.live.bytes), yaml_number(total.after.live.bytes), yaml_number(total.bytes),
        yaml_number(total.bytes_standard_error), yaml_number(total.objects), yaml_number(total.rate_bytes_per_s));
    yaml += fmt::format("findings_count: {}\nto_look_at_again: {}\n", a.findings.size() + a.more_findings, a.to_wait_for);
    yaml += a.findings.empty() ? "findings: []\n" : "findings:\n";
    for (const finding& f : a.findings) { yaml += yaml_finding(f); }
    yaml += a.warnings.empty() ? "warnings: []\n" : "warnings:\n";
    for (const std::string& warning : a.warnings) { yaml += "  - " + yaml_string(warning) + "\n"; }
    return yaml + "---\n\n";
}

// --- the page

std::string overview_table(const attribution& a) {
    if (a.findings.empty()) { return {}; }
    std::string text =
        "| # | what | where | since | how fast | how sure | for whom | likely fix |\n|--:|---|---|---|---|---|---|---|\n";
    std::size_t number = 0;
    for (const finding& f : a.findings) {
        const overview o = overview_words(a, f);
        text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n", ++number, cell(o.what), cell(o.where), cell(o.since),
                            cell(o.speed), cell(o.certain), cell(o.whom), cell(o.fix));
    }
    if (a.more_findings != 0) {
        text += fmt::format("\n{} more above the threshold: see all rows below, or `--top 0`.\n", a.more_findings);
    }
    return text + "\n";
}

std::string hint_words(const finding& f) {
    std::string text;
    const hint* fix = f.likely_fix();
    if (fix == nullptr) {
        text += "**Likely fix: no rule applies.** The stack and the numbers above are what is known.\n";
    } else {
        text += fmt::format("**{}: {}** (`{}`)\n\n- Why: {}\n- Try: {}\n",
                            fix->kind == hint_kind::wait ? "No fix yet" : "Likely fix", fix->title, fix->rule,
                            markdown(fix->why), own_words(fix->suggestion));
    }
    for (const hint& each : f.hints) {
        if (&each == fix) { continue; }
        const char* label = each.kind == hint_kind::measure ? "To know more" : "Also possible";
        text += fmt::format("- {}: {} (`{}`). {} {}\n", label, each.title, each.rule, markdown(each.why),
                            own_words(each.suggestion));
    }
    return text;
}

std::string stack_words(const attribution& a, const finding& f) {
    const std::vector<frame_words> frames = user_frames(f.stack, a.change.modules, shown_frames);
    if (frames.empty()) { return {}; }
    std::string text = "\nStack, the allocating function first:\n\n";
    std::size_t number = 0;
    for (const frame_words& each : frames) {
        text += fmt::format("{}. {}{}{}\n", ++number, code_span(each.function), each.place.empty() ? "" : " ",
                            each.place.empty() ? std::string() : code_span(each.place));
    }
    return text;
}

std::string finding_section(const attribution& a, const finding& f, std::size_t number,
                            const attribution_text_options& options) {
    std::string text = fmt::format("## {}. {}\n\n", number, markdown(finding_title(f)));
    for (const labelled& line : evidence_words(a, f)) {
        text += fmt::format("- **{}**: {}\n", line.label, markdown(line.words));
    }
    text += "\n" + hint_words(f) + stack_words(a, f);
    if (options.has_test_files && has_regression_test(f)) {
        text += fmt::format("\nRegression test to fill in: [{0}](regression/{0})\n", regression_test_name(f));
    }
    return text + "\n";
}

std::string metrics_table(const attribution& a) {
    if (a.metrics.empty()) { return {}; }
    std::string text = "## Key metrics\n\n| |";
    std::string rule = "\n|---|";
    for (const compared_snapshot& s : a.snapshots) {
        text += " " + code_span(s.info.label) + " |";
        rule += "--:|";
    }
    text += rule + "\n";
    for (const key_metric& m : a.metrics) {
        text += "| " + own_words(metric_title(m)) + " |";
        for (std::size_t i = 0; i < a.snapshots.size(); ++i) { text += " " + metric_words(m, i) + " |"; }
        text += "\n";
    }
    return text + "\n";
}

std::string snapshots_table(const attribution& a) {
    std::string text = "## Snapshots\n\n|";
    std::string rule = "|";
    for (const char* column : snapshot_columns()) {
        text += fmt::format(" {} |", column);
        rule += "---|";
    }
    text += "\n" + rule + "\n";
    for (const compared_snapshot& s : a.snapshots) {
        text += "|";
        for (const sentence& words : snapshot_cells(s)) { text += " " + markdown(words) + " |"; }
        text += "\n";
    }
    return text + "\n";
}

std::string appendix(const attribution& a, std::size_t most) {
    if (a.change.rows.empty()) { return {}; }
    std::string text =
        "## All rows\n\n| # | site | tag | type | bytes | +- | objects | rate | status "
        "|\n|--:|---|---|---|--:|--:|--:|--:|---|\n";
    std::size_t number = 0;
    for (const delta_row& row : a.change.rows) {
        if (most != 0 && number == most) { break; }
        text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", ++number,
                            code_span(elide(row_title(dimension::site, row), 64)), code_span(elide(row.tag, 32)),
                            code_span(elide(row.type, 32)), format_bytes_signed(row.bytes),
                            row.bytes_standard_error > 0 ? format_bytes(row.bytes_standard_error) : "exact",
                            format_count_signed(row.objects), rate_words(row), status_words(row));
    }
    if (number < a.change.rows.size()) {
        text += fmt::format("\n{} more in the JSON twin.\n", format_count(static_cast<double>(a.change.rows.size() - number)));
    }
    for (const move_proposal& move : a.change.moves) {
        if (move.gone >= a.change.rows.size() || move.appeared >= a.change.rows.size()) { continue; }
        text += fmt::format("\n- moved? {} -> {}: {}\n", code_span(row_title(dimension::site, a.change.rows[move.gone])),
                            code_span(row_title(dimension::site, a.change.rows[move.appeared])), code_span(move.why));
    }
    return text;
}

}  // namespace

std::string yaml_string(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : printable(text)) {
        if (c == '"' || c == '\\') { quoted += '\\'; }
        quoted += c;
    }
    quoted += '"';
    // Not controls, so printable() leaves them, but no YAML reader takes them: the noncharacters U+FFFE and U+FFFF.
    for (const auto& [bytes, escape] : {std::pair{"\xEF\xBF\xBE", "\\uFFFE"}, std::pair{"\xEF\xBF\xBF", "\\uFFFF"}}) {
        for (std::size_t at = quoted.find(bytes); at != std::string::npos; at = quoted.find(bytes, at)) {
            quoted.replace(at, 3, escape);
        }
    }
    return quoted;
}

std::string render_markdown(const attribution& a, const attribution_text_options& options) {
    std::string text = front_matter(a, options) + "# " + markdown(title_words(a)) + "\n\n";
    text += "**" + own_words("") + markdown(summary_words(a)) + "**\n\n";
    for (const std::string& warning : a.warnings) { text += "> **Warning:** " + code_span(warning) + "\n\n"; }
    text += overview_table(a);
    std::size_t number = 0;
    for (const finding& f : a.findings) { text += finding_section(a, f, ++number, options); }
    return text + metrics_table(a) + snapshots_table(a) + appendix(a, options.appendix_rows);
}

}  // namespace v1
}  // namespace memwatch
