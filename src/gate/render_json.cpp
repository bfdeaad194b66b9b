// SPDX-License-Identifier: Apache-2.0
#include <memwatch/version.hpp>

#include "base/json_writer.hpp"
#include "gate/gate_words.hpp"
#include "gate/place.hpp"
#include "gate/render.hpp"

namespace memwatch::inline v1::gate {
namespace {

void put_place(json_writer& json, const delta_row& row, const gate_report& r) {
    if (const auto place = place_of(row.stack, r.source_root)) {
        json.key("file").value(place->file);
        json.key("line").value(std::uint64_t{place->line});
    }
}

void put_item(json_writer& json, const gate_report& r, const finding& f) {
    const judged_item& item = *f.item;
    json.new_line();
    json.begin_object();
    json.key("name").value(name_of(r, f));
    json.key("result").value(to_string(item.what));
    json.key("bytes").value(item.bytes);
    json.key("standard_error").value(item.standard_error);
    if (item.paths > 1) { json.key("call_paths").value(std::uint64_t{item.paths}); }
    if (const delta_row* row = row_of(r, f); row != nullptr && f.rule->kind != rule_kind::tag_budget) {
        json.key("key").value(row->key);
        json.key("fingerprint").value(site_fingerprint(*row, r.sites.modules));
        json.key("tag").value(row->tag);
        json.key("type").value(row->type);
        json.key("change").value(to_string(row->what));
        json.key("rung").value(to_string(row->rung));
        put_place(json, *row, r);
    }
    if (item.moved_from != no_row && f.rule->kind != rule_kind::tag_budget) {
        json.key("moved_from").value(r.sites.rows[item.moved_from].name);
    }
    json.end_object();
}

void put_rule(json_writer& json, const gate_report& r, const judged_rule& rule) {
    json.new_line();
    json.begin_object();
    json.key("rule").value(rule.name);
    json.key("kind").value(to_string(rule.kind));
    if (!rule.reason.empty()) { json.key("reason").value(rule.reason); }
    json.key("limit_bytes").value(rule.limit_bytes);
    json.key("result").value(to_string(rule.what));
    json.key("looked_at").value(std::uint64_t{rule.looked_at});
    json.key("bytes").value(rule.bytes);
    json.key("has_power").value(rule.has_power());
    json.key("seen_from_bytes").value(rule.seen_from_bytes);
    json.key("items");
    json.begin_array();
    for (const judged_item& item : rule.items) { put_item(json, r, {&rule, &item}); }
    json.end_array();
    json.end_object();
}

void put_suppressed(json_writer& json, const gate_report& r) {
    json.key("suppressed");
    json.begin_array();
    for (const suppressed_site& s : r.judged.suppressed) {
        const delta_row& row = r.sites.rows[s.row];
        json.new_line();
        json.begin_object();
        json.key("name").value(row.name);
        json.key("bytes").value(row.bytes);
        json.key("suppression").value("leak:" + r.rules.suppressions[s.suppression].pattern);
        json.end_object();
    }
    json.end_array();
}

}  // namespace

std::string render_json(const gate_report& r) {
    json_writer json;
    json.begin_object();
    json.key("kind").value("memwatch.gate");
    json.key("version").value(std::uint64_t{1});
    json.key("memwatch").value(memwatch::version);
    json.key("base").value(r.base);
    json.key("head").value(r.head);
    if (!r.policy_file.empty()) { json.key("policy").value(r.policy_file); }
    json.key("service").value(r.sites.after.service);
    json.key("breached").value(r.judged.is_breached());
    json.key("conclusion").value(conclusion_words(r));
    json.key("interval_bytes").value(r.judged.interval_bytes);
    json.key("total_bytes").value(r.sites.total.bytes);
    json.key("suppressed_bytes").value(r.judged.suppressed_bytes);
    json.key("rules");
    json.begin_array();
    for (const judged_rule& rule : r.judged.rules) { put_rule(json, r, rule); }
    json.end_array();
    put_suppressed(json, r);
    json.key("notes");
    json.begin_array();
    for (const std::string& note : notes_of(r)) { json.value(note); }
    json.end_array();
    json.end_object();
    return json.take();
}

}  // namespace memwatch::inline v1::gate
