// SPDX-License-Identifier: Apache-2.0
#include "report/attribution_html.hpp"

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

// The one style element. Its hash stands below; tests/e2e/report computes it again.
constexpr std::string_view style =
    ":root{color-scheme:light "
    "dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--paper:#fff;--panel:#f6f8fa;--grow:#9a6700;--fix:#1a7f37}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--paper:#0d1117;--panel:#161b22;--"
    "grow:#d29922;"
    "--fix:#3fb950}}"
    "body{margin:0 auto;padding:1.5rem;max-width:76rem;font:15px/1.5 "
    "system-ui,sans-serif;color:var(--ink);background:var(--paper)}"
    "h1{font-size:1.4rem;margin:0 0 .5rem}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-top:1px solid "
    "var(--line);padding-top:1rem}"
    "p.summary{font-size:1.05rem;font-weight:600;margin:.5rem 0 1rem}"
    "p.warning{border-left:4px solid var(--grow);padding:.2rem .8rem;margin:.4rem 0;background:var(--panel)}"
    "code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}h1 code,h2 code,p.summary code{font-size:.95em}"
    "div.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.5rem 0}"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line)}"
    "th{color:var(--soft);font-weight:600;white-space:nowrap}td.number,th.number{text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}"
    "dl{display:grid;grid-template-columns:8rem 1fr;gap:.25rem 1rem;margin:.5rem "
    "0}dt{color:var(--soft);font-weight:600}dd{margin:0}"
    "div.hint{background:var(--panel);border-left:4px solid var(--fix);padding:.6rem 1rem;margin:1rem 0}"
    "div.hint h3{margin:0 0 .3rem;font-size:1rem}div.hint p{margin:.2rem 0}"
    "ol.stack{padding-left:2rem;margin:.3rem 0}ol.stack span{color:var(--soft)}"
    "summary{cursor:pointer;color:var(--soft)}svg{vertical-align:middle}rect{fill:var(--grow)}polyline{fill:none;stroke:var(--"
    "grow);"
    "stroke-width:2}"
    "@media print{details{display:block}}@media(max-width:40rem){dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}";

constexpr std::string_view style_hash = "sha256-ffMArNIbZlGN6i8Shbdsc0vnN4S2nKHO1DYiWCyMdbc=";

std::string name_code(const std::string& name) { return "<code>" + html_text(name) + "</code>"; }

std::string own_words(const std::string& text) { return html_text(text); }

std::string html(const sentence& words) { return words.render(name_code, own_words); }

std::string cell(const sentence& words) { return "<td>" + (words.empty() ? std::string("-") : html(words)) + "</td>"; }

std::string number_cell(const std::string& text) { return "<td class=\"number\">" + html_text(text) + "</td>"; }

std::string row_of_titles(const std::vector<const char*>& titles) {
    std::string text = "<thead><tr>";
    for (const char* title : titles) { text += fmt::format("<th scope=\"col\">{}</th>", title); }
    return text + "</tr></thead>";
}

// Live bytes over the inputs as a line; attributes only, because a policy without inline styles allows no others.
std::string course_line(const finding& f) {
    constexpr double width = 120;
    constexpr double height = 24;
    if (f.course.size() < 3) { return {}; }
    double most = 1;
    for (const double bytes : f.course) { most = std::isfinite(bytes) ? std::max(most, bytes) : most; }
    std::string points;
    for (std::size_t i = 0; i < f.course.size(); ++i) {
        if (!std::isfinite(f.course[i])) { continue; }
        const double x = 2 + (width - 4) * static_cast<double>(i) / static_cast<double>(f.course.size() - 1);
        points += fmt::format("{:.1f},{:.1f} ", x, height - 2 - (height - 4) * f.course[i] / most);
    }
    return fmt::format(
        " <svg width=\"{}\" height=\"{}\" role=\"img\" aria-label=\"live bytes at each snapshot\"><polyline "
        "points=\"{}\"/></svg>",
        width, height, points);
}

// How much of the largest finding this one is.
std::string bar(const attribution& a, const finding& f) {
    double most = 1;
    for (const finding& each : a.findings) { most = std::max(most, each.bytes); }
    const double width = std::max(1.0, 80 * std::max(0.0, f.bytes) / most);
    return fmt::format("<svg width=\"80\" height=\"8\" aria-hidden=\"true\"><rect width=\"{:.0f}\" height=\"8\"/></svg>",
                       width);
}

std::string overview_table(const attribution& a) {
    if (a.findings.empty()) { return {}; }
    std::string text = "<div class=\"scroll\"><table>" +
                       row_of_titles({"#", "what", "where", "since", "how fast", "how sure", "for whom", "likely fix"}) +
                       "<tbody>\n";
    std::size_t number = 0;
    for (const finding& f : a.findings) {
        const overview o = overview_words(a, f);
        ++number;
        text +=
            fmt::format("<tr><td><a href=\"#finding-{0}\">{0}</a></td><td>{1}<br>{2}</td>", number, html(o.what), bar(a, f));
        for (const sentence* words : {&o.where, &o.since, &o.speed, &o.certain, &o.whom, &o.fix}) { text += cell(*words); }
        text += "</tr>\n";
    }
    text += "</tbody></table></div>\n";
    if (a.more_findings != 0) {
        text += fmt::format("<p>{} more above the threshold: see all rows below.</p>\n", a.more_findings);
    }
    return text;
}

std::string hint_block(const finding& f) {
    const hint* fix = f.likely_fix();
    std::string text = "<div class=\"hint\">";
    if (fix == nullptr) {
        text += "<h3>Likely fix: no rule applies</h3><p>The stack and the numbers above are what is known.</p>";
    } else {
        text += fmt::format("<h3>{}: {} <code>{}</code></h3><p>Why: {}</p><p>Try: {}</p>",
                            fix->kind == hint_kind::wait ? "No fix yet" : "Likely fix", own_words(fix->title), fix->rule,
                            html(fix->why), own_words(fix->suggestion));
    }
    std::string more;
    for (const hint& each : f.hints) {
        if (&each == fix) { continue; }
        more += fmt::format("<li>{}: {} <code>{}</code>. {} {}</li>",
                            each.kind == hint_kind::measure ? "To know more" : "Also possible", own_words(each.title),
                            each.rule, html(each.why), own_words(each.suggestion));
    }
    return text + (more.empty() ? "" : "<ul>" + more + "</ul>") + "</div>\n";
}

std::string stack_list(const attribution& a, const finding& f) {
    const std::vector<frame_words> frames = user_frames(f.stack, a.change.modules, shown_frames);
    if (frames.empty()) { return {}; }
    std::string text = "<p>Stack, the allocating function first:</p>\n<ol class=\"stack\">";
    for (const frame_words& each : frames) {
        text += "<li><code>" + html_text(each.function) + "</code>" +
                (each.place.empty() ? "" : " <span><code>" + html_text(each.place) + "</code></span>") + "</li>";
    }
    return text + "</ol>\n";
}

std::string finding_section(const attribution& a, const finding& f, std::size_t number,
                            const attribution_text_options& options) {
    std::string text = fmt::format("<section id=\"finding-{0}\"><h2>{0}. {1}</h2>\n<dl>", number, html(finding_title(f)));
    for (const labelled& line : evidence_words(a, f)) {
        const bool is_course = std::string_view(line.label) == "Course";
        text += fmt::format("<dt>{}</dt><dd>{}{}</dd>\n", line.label, html(line.words), is_course ? course_line(f) : "");
    }
    text += "</dl>\n" + hint_block(f) + stack_list(a, f);
    if (options.has_test_files && has_regression_test(f)) {
        text += fmt::format("<p>Regression test to fill in: <a href=\"regression/{0}\">{0}</a></p>\n", regression_test_name(f));
    }
    return text + "</section>\n";
}

std::string metrics_table(const attribution& a) {
    if (a.metrics.empty()) { return {}; }
    std::string text = "<h2>Key metrics</h2>\n<div class=\"scroll\"><table><thead><tr><th></th>";
    for (const compared_snapshot& s : a.snapshots) {
        text += "<th scope=\"col\" class=\"number\">" + html_text(s.info.label) + "</th>";
    }
    text += "</tr></thead><tbody>\n";
    for (const key_metric& m : a.metrics) {
        text += "<tr><th scope=\"row\">" + html_text(metric_title(m)) + "</th>";
        for (std::size_t i = 0; i < a.snapshots.size(); ++i) { text += number_cell(metric_words(m, i)); }
        text += "</tr>\n";
    }
    return text + "</tbody></table></div>\n";
}

std::string snapshots_table(const attribution& a) {
    std::string text = "<h2>Snapshots</h2>\n<div class=\"scroll\"><table>" + row_of_titles(snapshot_columns()) + "<tbody>\n";
    for (const compared_snapshot& s : a.snapshots) {
        text += "<tr>";
        for (const sentence& words : snapshot_cells(s)) { text += cell(words); }
        text += "</tr>\n";
    }
    return text + "</tbody></table></div>\n";
}

std::string appendix(const attribution& a, std::size_t most) {
    if (a.change.rows.empty()) { return {}; }
    const std::size_t shown = most == 0 ? a.change.rows.size() : std::min(most, a.change.rows.size());
    std::string text =
        fmt::format("<h2>All rows</h2>\n<details><summary>{} of {} rows</summary>\n<div class=\"scroll\"><table>", shown,
                    a.change.rows.size());
    text += row_of_titles({"#", "site", "tag", "type", "bytes", "+-", "objects", "rate", "status"}) + "<tbody>\n";
    for (std::size_t i = 0; i < shown; ++i) {
        const delta_row& row = a.change.rows[i];
        text += "<tr>" + number_cell(std::to_string(i + 1)) + cell(sentence{}.name(elide(row_title(dimension::site, row), 64)));
        for (const std::string* name : {&row.tag, &row.type}) {
            text += name->empty() ? cell({}) : cell(sentence{}.name(elide(*name, 32)));
        }
        for (const std::string& figure :
             {format_bytes_signed(row.bytes),
              row.bytes_standard_error > 0 ? format_bytes(row.bytes_standard_error) : std::string("exact"),
              format_count_signed(row.objects), rate_words(row)}) {
            text += number_cell(figure);
        }
        text += "<td>" + html_text(status_words(row)) + "</td></tr>\n";
    }
    return text + "</tbody></table></div></details>\n";
}

}  // namespace

std::string html_text(std::string_view text) {
    std::string safe;
    for (const char c : printable(text)) {
        switch (c) {
            case '&':
                safe += "&amp;";
                break;
            case '<':
                safe += "&lt;";
                break;
            case '>':
                safe += "&gt;";
                break;
            case '"':
                safe += "&quot;";
                break;
            case '\'':
                safe += "&#39;";
                break;
            default:
                safe += c;
        }
    }
    return safe;
}

std::string render_html(const attribution& a, const attribution_text_options& options) {
    std::string text = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n";
    text += fmt::format(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{}'; base-uri 'none'; "
        "form-action "
        "'none'\">\n",
        style_hash);
    text +=
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" "
        "content=\"no-referrer\">\n";
    text += "<title>" + html_text(title_words(a).plain()) + "</title>\n<style>";
    text += style;
    text += "</style></head>\n<body>\n<h1>" + html(title_words(a)) + "</h1>\n<p class=\"summary\">" + html(summary_words(a)) +
            "</p>\n";
    for (const std::string& warning : a.warnings) { text += "<p class=\"warning\">Warning: " + html_text(warning) + "</p>\n"; }
    text += overview_table(a);
    std::size_t number = 0;
    for (const finding& f : a.findings) { text += finding_section(a, f, ++number, options); }
    text += metrics_table(a) + snapshots_table(a) + appendix(a, options.appendix_rows);
    return text + "<p><small>memwatch " + html_text(options.tool_version) + "</small></p>\n</body></html>\n";
}

}  // namespace v1
}  // namespace memwatch
