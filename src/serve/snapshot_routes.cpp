// SPDX-License-Identifier: Apache-2.0
// The routes that take a full snapshot, or keep one: now, or of a window that has to pass first.
#include <algorithm>
#include <utility>

#include <memwatch/base/units.hpp>

#include "serve/config_page.hpp"
#include "serve/request_body.hpp"
#include "serve/routes.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr const char* label_form = "label: 1 to 64 characters of A-Z a-z 0-9 . _ -";

// A browser asks for text/html by name; curl sends */*, Prometheus its own types.
bool wants_html(const http_request& request) { return header(request, "Accept").find("text/html") != std::string_view::npos; }

http_response busy(const admission::ticket& refused) {
    const std::string wait_s = std::to_string(refused.retry_after_s());
    http_response out =
        refuse(429, refused.awaits_window()
                        ? "a window (seconds=N) is open for " + wait_s + " s more, and full snapshots are taken one at a time"
                        : "full snapshots are taken one at a time and at most one a second over time; try again");
    out.headers.emplace_back("Retry-After", wait_s);
    return out;
}

// From the query or from the body, once. Errors: invalid_argument.
result<std::string> label_to_keep(const request_target& target, const http_request& request) {
    std::string label = target.text("label");
    if (request.body.empty()) { return label; }
    const result<body_members> members = parse_body(header(request, "Content-Type"), request.body);
    if (!members) { return tl::unexpected<error>(members.error()); }
    for (const auto& [name, value] : *members) {
        if (name != "label") { return fail(error_code::invalid_argument, "the body takes label, and no other members"); }
        if (!label.empty()) { return fail(error_code::invalid_argument, "given twice", name); }
        label = value;
    }
    return label;
}

}  // namespace

result<std::size_t> router::window_of(const call& c) {
    const auto seconds = c.target.number("seconds", 0, max_window_s);
    if (!seconds || (*seconds == 0 && c.target.find("seconds") != nullptr)) {
        return fail(error_code::invalid_argument, "must be a whole number from 1 to " + std::to_string(max_window_s),
                    "seconds");
    }
    return *seconds;
}

result<router::snapshot_function> router::since(const call& c, snapshot_function then) const {
    if (c.target.find("since") == nullptr) { return then; }
    if (c.target.text("since") != "baseline") { return fail(error_code::invalid_argument, "must be baseline", "since"); }
    if (c.target.find("seconds") != nullptr || c.target.find("kept") != nullptr) {
        return fail(error_code::invalid_argument, "goes with neither seconds nor kept", "since");
    }
    return [this, then = std::move(then)](snapshot& s) {
        result<snapshot> cut = view_.cut_to_baseline(std::move(s));
        return cut ? then(*cut) : refuse(cut.error());
    };
}

outcome router::with_snapshot(std::string_view label, std::size_t window_s, snapshot_function then) {
    admission::ticket ticket = full_snapshots_.try_enter(window_s * second_ns);
    if (!ticket.is_admitted()) { return busy(ticket); }
    if (window_s == 0) {
        result<snapshot> frozen = view_.freeze(label);
        return frozen ? then(*frozen) : refuse(frozen.error());
    }
    result<snapshot> start = view_.summarize();
    if (!start) { return refuse(start.error()); }
    // Dropped without being called, it gives the ticket back too.
    const auto held = std::make_shared<admission::ticket>(std::move(ticket));
    const auto from = std::make_shared<const snapshot>(std::move(*start));
    return deferred{window_s * second_ns, [this, held, from, label = std::string(label), then = std::move(then)] {
                        result<snapshot> end = view_.freeze(label);
                        if (!end) { return refuse(end.error()); }
                        result<snapshot> window = view_.cut_window(*from, std::move(*end));
                        return window ? then(*window) : refuse(window.error());
                    }};
}

outcome router::summary(const call& c) {
    const auto top = c.target.number("top", default_top, max_top);
    if (!top) { return refuse(top.error()); }
    const auto format = c.target.choice("format", wants_html(c.request) ? "html" : "text", "text|html");
    if (!format) { return refuse(format.error()); }
    const auto window_s = window_of(c);
    if (!window_s) { return refuse(window_s.error()); }
    auto then = since(c, [this, top = *top, is_html = *format == "html"](snapshot& s) {
        view_.name_functions(s, top);
        http_response out = rendered(view_.render_summary(s, top), text_type);
        if (out.status == 200 && is_html) { out = answer(200, html_type, html_page(out.body)); }
        out.headers.emplace_back("Vary", "Accept");
        return out;
    });
    return then ? with_snapshot({}, *window_s, std::move(*then)) : refuse(then.error());
}

outcome router::dump(const call& c) {
    const format_row* const format = find_format(c.target.text("format", "memtrace"));
    if (format == nullptr) { return refuse(400, "format: must be one of memtrace|json|jsonl|pprof|pprof_allocs|folded"); }
    auto then = since(c, [this, format](snapshot& s) {
        if (format->wants_names) { view_.name_functions(s, named_sites_in_dump); }
        return attachment(view_.encode(s, format->name), *format);
    });
    if (!then) { return refuse(then.error()); }
    if (c.target.find("kept") != nullptr || c.target.find("past") != nullptr) { return kept_dump(c, *format); }
    const std::string label = c.target.text("label");
    if (!label.empty() && !is_label(label)) { return refuse(400, label_form); }
    const auto window_s = window_of(c);
    if (!window_s) { return refuse(window_s.error()); }
    const auto records = c.target.choice("records", "1", "0|1");
    if (!records) { return refuse(records.error()); }
    if (*records == "1") { return with_snapshot(label, *window_s, std::move(*then)); }
    if (!label.empty() || *window_s != 0 || c.target.find("since") != nullptr) {
        return refuse(400, "records: 0 goes with format only");
    }
    result<snapshot> s = view_.summarize();  // as cheap as a scrape, so no admission
    return s ? (*then)(*s) : refuse(s.error());
}

result<std::shared_ptr<const std::string>> router::find_kept(const char* parameter, const std::string& name) const {
    if (auto kept = kept_->find(name)) { return kept; }
    result<std::string> past = view_.past_dump(name);
    if (past) { return std::make_shared<const std::string>(std::move(*past)); }
    if (past.error().code != error_code::not_found) { return fail(past.error().code, past.error().message(), parameter); }
    std::string labels;
    for (const auto& each : kept_->list()) { labels += (labels.empty() ? "" : ", ") + each.label; }
    return fail(error_code::not_found,
                "no kept snapshot has this label; " +
                    (labels.empty() ? "none is kept (POST /debug/memtrace/snapshot?label=L)" : "kept: " + labels) +
                    "; /debug/memtrace/snapshots also lists those of the history",
                parameter);
}

result<std::shared_ptr<const std::string>> router::find_past(const char* parameter, const std::string& age) const {
    const result<std::uint64_t> age_ns = parse_duration(age);
    if (!age_ns) {
        return fail(error_code::invalid_argument, "a time like 90s, 30m, 2h: " + age_ns.error().message(), parameter);
    }
    result<std::string> past = view_.past_dump_from(*age_ns);
    if (past) { return std::make_shared<const std::string>(std::move(*past)); }
    return fail(past.error().code, past.error().message(), parameter);
}

// A kept one as it is, or in another format. As it is, one with a label costs nothing; everything else costs what taking one
// does (it is read and decoded), so it is admitted like one.
outcome router::kept_dump(const call& c, const format_row& format) {
    const std::string* const label = c.target.find("kept");
    const std::string* const age = c.target.find("past");
    if ((label != nullptr && age != nullptr) || c.target.find("label") != nullptr || c.target.find("seconds") != nullptr ||
        c.target.find("records") != nullptr || c.target.find("since") != nullptr) {
        return refuse(400,
                      std::string(label != nullptr ? "kept" : "past") +
                          ": takes format, but neither label nor seconds nor records nor since: the snapshot was taken before");
    }
    if (label != nullptr && format.name == "memtrace") {
        if (const auto kept = kept_->find(*label)) { return attachment(*kept, format); }
    }
    const admission::ticket ticket = full_snapshots_.try_enter();
    if (!ticket.is_admitted()) { return busy(ticket); }
    const auto kept = label != nullptr ? find_kept("kept", *label) : find_past("past", *age);
    if (!kept) { return refuse(kept.error()); }
    if (format.name == "memtrace") { return attachment(**kept, format); }
    result<snapshot> s = view_.decode(**kept);
    if (!s) { return refuse(s.error()); }
    view_.name_functions(*s, named_sites_in_dump);
    return attachment(view_.encode(*s, format.name), format);
}

// Admitted as full snapshots are: it costs as much, in the kernel.
outcome router::footprint(const call& c) {
    const auto format = c.target.choice("format", "json", "json|text|md");
    if (!format) { return refuse(format.error()); }
    const auto word = c.target.choice("detail", "auto", "auto|0|1");
    if (!word) { return refuse(word.error()); }
    const admission::ticket ticket = full_snapshots_.try_enter();
    if (!ticket.is_admitted()) { return busy(ticket); }
    const auto how = *word == "0"   ? footprint_detail::cheap
                     : *word == "1" ? footprint_detail::all
                                    : footprint_detail::automatic;
    const auto where = view_.measure_footprint(how);
    if (!where) { return refuse(where.error()); }
    const char* const type = *format == "json" ? json_type : *format == "md" ? markdown_type : text_type;
    return rendered(view_.render_footprint(*where, *format), type);
}

outcome router::keep(const call& c) {
    const result<std::string> label = label_to_keep(c.target, c.request);
    if (!label) { return refuse(label.error()); }
    if (!is_label(*label)) { return refuse(400, label_form); }
    return with_snapshot(*label, 0, [this, label = *label](snapshot& s) {
        result<std::string> dump = view_.encode(s, "memtrace");
        if (!dump) { return refuse(dump.error()); }
        const std::size_t bytes = dump->size();
        if (const auto kept = kept_->keep(label, std::move(*dump), s.info.taken_ns, options_.clock()); !kept) {
            return refuse(kept.error());
        }
        return answer(201, json_type,
                      "{\"label\":\"" + label + "\",\"bytes\":" + std::to_string(bytes) +
                          ",\"taken_ns\":" + std::to_string(s.info.taken_ns) + "}\n");
    });
}

namespace {

std::string age_text(std::uint64_t age_ns) { return format_duration(age_ns) + " ago"; }

std::string kept_line(const std::string& name, std::uint64_t bytes, std::uint64_t age_ns, const std::string& problem = {}) {
    return name + "  " + format_bytes(static_cast<double>(bytes)) + "  " + age_text(age_ns) +
           (problem.empty() ? "" : "  cannot be used: " + problem) + "\n";
}

std::string history_text(const history_page& history) {
    std::string out;
    for (const history_page::row& each : history.rows) { out += kept_line(each.name, each.bytes, each.age_ns, each.problem); }
    const std::string head = "history (" + history.where + ", " + format_bytes(static_cast<double>(history.bytes)) + " of " +
                             format_bytes(static_cast<double>(history.max_bytes)) + ")\n";
    const std::string foot = history.problem.empty() ? "" : "history: " + history.problem + "\n";
    return (history.where.empty() ? "" : head) + out + foot;
}

std::string history_json(const history_page& history) {
    std::string rows;
    for (const history_page::row& each : history.rows) {
        rows += (rows.empty() ? "" : ",\n") + std::string("{\"name\":") + quote_json(each.name) +
                ",\"bytes\":" + std::to_string(each.bytes) + ",\"taken_unix_ns\":" + std::to_string(each.taken_unix_ns) +
                ",\"age_s\":" + std::to_string(each.age_ns / second_ns) + ",\"problem\":" + quote_json(each.problem) + "}";
    }
    return "{\"where\":" + quote_json(history.where) + ",\"problem\":" + quote_json(history.problem) +
           ",\"bytes\":" + std::to_string(history.bytes) + ",\"max_bytes\":" + std::to_string(history.max_bytes) +
           ",\"snapshots\":[" + rows + "]}";
}

}  // namespace

outcome router::list_kept(const call& c) {
    const auto format = c.target.choice("format", "json", "json|text");
    if (!format) { return refuse(format.error()); }
    const bool is_text = *format == "text";
    const std::uint64_t now = options_.clock();
    // Who cannot say has none; the labelled ones are listed all the same.
    result<history_page> asked = view_.history();
    history_page history = asked ? std::move(*asked) : history_page{{}, 0, 0, {}, asked.error().message()};
    std::string rows;
    for (const auto& each : kept_->list()) {
        const std::uint64_t age_ns = now > each.kept_ns ? now - each.kept_ns : 0;
        if (is_text) {
            rows += kept_line(each.label, each.bytes, age_ns);
            continue;
        }
        rows += (rows.empty() ? "" : ",\n") + std::string("{\"label\":") + quote_json(each.label) +
                ",\"bytes\":" + std::to_string(each.bytes) + ",\"taken_ns\":" + std::to_string(each.taken_ns) +
                ",\"age_s\":" + std::to_string(age_ns / second_ns) + "}";
    }
    if (is_text) { return answer(200, text_type, (rows.empty() ? "no snapshot is kept\n" : rows) + history_text(history)); }
    return answer(200, json_type,
                  "{\"kind\":\"memwatch.snapshots\",\"version\":1,\"bytes\":" + std::to_string(kept_->bytes()) +
                      ",\"max_bytes\":" + std::to_string(kept_->max_bytes()) +
                      ",\"max_count\":" + std::to_string(kept_->max_count()) + ",\"snapshots\":[" + rows +
                      "],\"history\":" + history_json(history) + "}\n");
}

outcome router::diff(const call& c) {
    diff_request wanted;
    const auto format = c.target.choice("format", "json", "json|text");
    if (!format) { return refuse(format.error()); }
    const auto by = c.target.choice("by", "site", "site|type|tag|trace|route|thread|pool");
    if (!by) { return refuse(by.error()); }
    const auto top = c.target.number("top", default_top, max_top);
    if (!top) { return refuse(top.error()); }
    const auto threshold = parse_bytes(c.target.text("threshold", "0"));
    if (!threshold) { return refuse(400, "threshold: " + threshold.error().message()); }
    wanted.as_text = *format == "text";
    wanted.by = *by;
    wanted.top = *top;
    wanted.threshold_bytes = static_cast<double>(*threshold);
    wanted.focus = c.target.text("focus");
    if (wanted.focus.size() > 256 || wanted.focus.rfind("re:", 0) == 0) {
        // std::regex recurses by the length of its input: a stranger's pattern could exhaust the host's stack.
        return refuse(400, "focus: a glob of at most 256 characters; regular expressions are for `memwatch diff` only");
    }

    const std::string* const base = c.target.find("base");
    const std::string* const since = c.target.find("since");
    if ((base == nullptr) == (since == nullptr) || (base != nullptr && base->empty())) {
        return refuse(400, "base: the label of a kept snapshot is needed, or since: how far to go back in the history (2h)");
    }
    // Inside of what is admitted: one of the history is read and decoded.
    const auto find = [this, name = base != nullptr ? *base : *since, is_label = base != nullptr] {
        return is_label ? find_kept("base", name) : find_past("since", name);
    };
    return with_snapshot({}, 0, [this, find, wanted](snapshot& after) {
        const auto kept = find();
        if (!kept) { return refuse(kept.error()); }
        result<snapshot> before = view_.decode(**kept);
        if (!before) { return refuse(before.error()); }
        view_.name_functions(*before, named_sites_in_dump);
        view_.name_functions(after, named_sites_in_dump);
        return rendered(view_.render_diff(*before, after, wanted), wanted.as_text ? text_type : json_type);
    });
}

outcome router::pprof(const call& c) {
    if (c.target.text("debug", "0") != "0") {
        return refuse(400, "debug: only 0, the protobuf profile; the readable text is /debug/memtrace");
    }
    const auto window_s = window_of(c);
    if (!window_s) { return refuse(window_s.error()); }
    const format_row* const format = find_format(c.target.path == "/debug/pprof/allocs" ? "pprof_allocs" : "pprof");
    return with_snapshot({}, *window_s, [this, format](snapshot& s) {
        view_.name_functions(s, named_sites_in_dump);
        return attachment(view_.encode(s, format->name), *format);
    });
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
