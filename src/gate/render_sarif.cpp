// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include <memwatch/version.hpp>

#include "base/json_writer.hpp"
#include "gate/gate_words.hpp"
#include "gate/place.hpp"
#include "gate/render.hpp"
#include "report/words.hpp"

namespace memwatch::inline v1::gate {
namespace {

constexpr const char* schema = "https://json.schemastore.org/sarif-2.1.0.json";

struct rule_text {
    rule_kind kind;
    const char* name;
    const char* summary;
    const char* help;
};

// In the order of rule_kind: a result's ruleIndex is its kind.
constexpr std::array<rule_text, 4> rule_texts{{
    {rule_kind::site, "SiteGrowth", "An allocation site grew by more than its limit.",
     "Live memory of one call stack grew between two snapshots by more than the policy allows, and by more than sampling "
     "explains."},
    {rule_kind::site_budget, "SiteBudget", "An allocation site grew by more than the budget that names it.",
     "Raise the budget in the gate's policy if the growth is wanted; otherwise look at who keeps what this stack allocates."},
    {rule_kind::tag_budget, "TagBudget", "A tag grew by more than its budget.",
     "The exact counter of a memwatch tag grew by more than the policy allows."},
    {rule_kind::total, "TotalGrowth", "Memory grew by more than the limit for the whole program.",
     "All sites without a budget of their own grew together by more than the policy allows."},
}};

// RFC 3986: what may stand in a path stands, everything else is %XX, so that a name can be no other URI.
std::string path_uri(const std::string& path) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string uri;
    for (const char c : path) {
        const auto byte = static_cast<unsigned char>(c);
        const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              std::string_view("-._~/+").find(c) != std::string_view::npos;
        if (is_plain) {
            uri += c;
        } else {
            uri += {'%', digits[byte >> 4U], digits[byte & 0xFU]};
        }
    }
    return uri;
}

void put_text(json_writer& json, const char* key, std::string_view text) {
    json.key(key);
    json.begin_object();
    json.key("text").value(text);
    json.end_object();
}

void put_driver(json_writer& json) {
    json.key("tool");
    json.begin_object();
    json.key("driver");
    json.begin_object();
    json.key("name").value("memwatch");
    json.key("version").value(memwatch::version);
    json.key("semanticVersion").value(memwatch::version);
    json.key("rules");
    json.begin_array();
    for (const rule_text& rule : rule_texts) {
        json.new_line();
        json.begin_object();
        json.key("id").value(to_string(rule.kind));
        json.key("name").value(rule.name);
        put_text(json, "shortDescription", rule.summary);
        put_text(json, "fullDescription", rule.help);
        put_text(json, "help", rule.help);
        json.key("defaultConfiguration");
        json.begin_object();
        json.key("level").value("error");
        json.end_object();
        json.end_object();
    }
    json.end_array();
    json.end_object();
    json.end_object();
}

// Code scanners want a file for everything: what is in no file of the repository is put beside what was compared.
source_place place_or_stand_in(const gate_report& r, const delta_row* row) {
    if (row != nullptr) {
        if (auto place = place_of(row->stack, r.source_root)) { return *place; }
    }
    for (const std::string& file : {r.policy_file, r.base}) {
        const bool is_file = file.find("://") == std::string::npos && file.find(':') == std::string::npos;
        if (const auto inside = is_file ? path_in_repository(file, r.source_root) : std::nullopt) { return {*inside, 0, {}}; }
    }
    const std::string program{base_name(r.sites.after.executable)};
    return {program.empty() ? "memwatch-gate.yml" : program, 0, {}};
}

void put_location(json_writer& json, const gate_report& r, const finding& f) {
    const delta_row* row = row_of(r, f);
    const source_place place = place_or_stand_in(r, row);
    json.key("locations");
    json.begin_array();
    json.begin_object();
    json.key("physicalLocation");
    json.begin_object();
    json.key("artifactLocation");
    json.begin_object();
    json.key("uri").value(path_uri(place.file));
    json.key("uriBaseId").value("%SRCROOT%");
    json.end_object();
    json.key("region");
    json.begin_object();
    json.key("startLine").value(std::uint64_t{std::max(place.line, 1U)});
    json.end_object();
    json.end_object();
    if (row != nullptr) {
        json.key("logicalLocations");
        json.begin_array();
        json.begin_object();
        json.key("fullyQualifiedName").value(printable(place.function.empty() ? name_of(r, f) : place.function));
        json.end_object();
        json.end_array();
    }
    json.end_object();
    json.end_array();
}

std::string fingerprint_of(const gate_report& r, const finding& f) {
    const delta_row* row = row_of(r, f);
    if (row == nullptr) { return "total"; }
    return f.rule->kind == rule_kind::tag_budget ? "tag:" + printable(row->name) : site_fingerprint(*row, r.sites.modules);
}

void put_result(json_writer& json, const gate_report& r, const finding& f) {
    json.new_line();
    json.begin_object();
    json.key("ruleId").value(to_string(f.rule->kind));
    json.key("ruleIndex").value(static_cast<std::uint64_t>(f.rule->kind));
    json.key("level").value("error");
    put_text(json, "message", printable("Memory grew: " + finding_words(r, f)) + ".");
    put_location(json, r, f);
    json.key("partialFingerprints");
    json.begin_object();
    json.key("memwatchSite/v1").value(fingerprint_of(r, f));
    json.end_object();
    json.key("properties");
    json.begin_object();
    json.key("bytes").value(f.item->bytes);
    json.key("standardError").value(f.item->standard_error);
    json.key("limitBytes").value(f.rule->limit_bytes);
    json.key("rule").value(printable(f.rule->name));
    json.end_object();
    json.end_object();
}

}  // namespace

std::string render_sarif(const gate_report& r) {
    json_writer json;
    json.begin_object();
    json.key("$schema").value(schema);
    json.key("version").value("2.1.0");
    json.key("runs");
    json.begin_array();
    json.begin_object();
    put_driver(json);
    json.key("columnKind").value("unicodeCodePoints");
    json.key("originalUriBaseIds");
    json.begin_object();
    json.key("%SRCROOT%");
    json.begin_object();
    put_text(json, "description", "The root of the repository.");
    json.end_object();
    json.end_object();
    json.key("automationDetails");
    json.begin_object();
    json.key("id").value("memwatch-gate/");
    json.end_object();
    json.key("results");
    json.begin_array();
    const auto found = findings_of(r.judged, outcome::breached);
    for (std::size_t i = 0; i < found.size() && i < most_sarif_results; ++i) { put_result(json, r, found[i]); }
    json.end_array();
    json.end_object();
    json.end_array();
    json.end_object();
    return json.take();
}

}  // namespace memwatch::inline v1::gate
