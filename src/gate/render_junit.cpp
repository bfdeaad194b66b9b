// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "gate/gate_words.hpp"
#include "gate/render.hpp"
#include "report/words.hpp"

namespace memwatch::inline v1::gate {
namespace {

constexpr std::size_t most_findings = 50;  // of a rule; the JSON has all

// For attributes and text alike. printable() has left no control character and no broken UTF-8; XML 1.0 also has no U+FFFE and
// U+FFFF, which are three bytes beginning EF BF.
std::string xml(std::string_view text) {
    std::string escaped;
    const std::string safe = printable(text);
    for (std::size_t i = 0; i < safe.size(); ++i) {
        switch (safe[i]) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&apos;";
                break;
            default:
                if (const auto end = safe.substr(i, 3); end == "\xEF\xBF\xBE" || end == "\xEF\xBF\xBF") {
                    escaped += "?";
                    i += 2;
                } else {
                    escaped += safe[i];
                }
        }
    }
    return escaped;
}

std::string lines_of(const gate_report& r, const judged_rule& rule, outcome what) {
    std::string text;
    std::size_t shown = 0;
    for (const judged_item& item : rule.items) {
        if (item.what != what) { continue; }
        if (++shown > most_findings) { continue; }
        text += xml(finding_words(r, {&rule, &item})) + "\n";
    }
    if (shown > most_findings) { text += fmt::format("and {} more\n", shown - most_findings); }
    return text;
}

std::string testcase(const gate_report& r, const judged_rule& rule) {
    std::string text = fmt::format("    <testcase classname=\"memwatch.gate\" name=\"{}\" time=\"0\">\n", xml(rule.name));
    if (rule.what == outcome::breached) {
        text += fmt::format("      <failure type=\"{}\" message=\"{}\">{}</failure>\n", to_string(rule.kind),
                            xml(finding_words(r, {&rule, &rule.items.front()})), lines_of(r, rule, outcome::breached));
    }
    std::string output = lines_of(r, rule, outcome::within_error);
    if (const std::string power = power_words(rule, r.judged.interval_bytes); !power.empty()) { output += xml(power) + "\n"; }
    if (!rule.reason.empty()) { output += xml(rule.reason) + "\n"; }
    if (!output.empty()) { text += "      <system-out>" + output + "</system-out>\n"; }
    return text + "    </testcase>\n";
}

}  // namespace

std::string render_junit(const gate_report& r) {
    const std::size_t tests = r.judged.rules.size();
    const std::size_t failures = r.judged.count(outcome::breached);
    std::string text = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites name=\"memwatch\" tests=\"{0}\" failures=\"{1}\" errors=\"0\" time=\"0\">\n"
        "  <testsuite name=\"memwatch.gate\" tests=\"{0}\" failures=\"{1}\" errors=\"0\" skipped=\"0\" time=\"0\">\n",
        tests, failures);
    for (const judged_rule& rule : r.judged.rules) { text += testcase(r, rule); }
    return text + "  </testsuite>\n</testsuites>\n";
}

}  // namespace memwatch::inline v1::gate
