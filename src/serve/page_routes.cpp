// SPDX-License-Identifier: Apache-2.0
// The routes that answer at once and never wait for a window: metrics, health, tables, options, control.
#include <algorithm>
#include <optional>
#include <utility>

#include <memwatch/base/units.hpp>

#include "serve/openmetrics.hpp"
#include "serve/routes.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {
constexpr std::size_t max_epochs = 1'000'000;
constexpr std::size_t max_stack_depth = 64;
constexpr std::size_t default_rows = 100;
constexpr const char* level_choices = "none|suspect|leak";

// `class`, where it is given. Errors: invalid_argument, naming the choices.
result<std::optional<verdict_class>> class_of(const request_target& target) {
    if (target.find("class") == nullptr) { return std::nullopt; }
    std::string choices;
    for (std::size_t i = 0; i < verdict_class_count; ++i) {
        choices += (i == 0 ? "" : "|") + std::string(word_of(static_cast<verdict_class>(i)));
    }
    return target.choice("class", {}, choices).map([](const std::string& word) { return verdict_class_of(word); });
}

// Errors: invalid_argument.
result<verdict_request> verdicts_of(const request_target& target) {
    verdict_request wanted;
    const auto format = target.choice("format", "json", "json|text|md");
    if (!format) { return tl::unexpected<error>(format.error()); }
    const auto level = target.choice("level", "suspect", level_choices);
    if (!level) { return tl::unexpected<error>(level.error()); }
    const auto only = class_of(target);
    if (!only) { return tl::unexpected<error>(only.error()); }
    wanted.format = *format;
    wanted.least = verdict_level_of(*level).value_or(wanted.least);
    wanted.only = *only;
    return wanted;
}

const char* type_of(const std::string& format) {
    return format == "json" ? json_type : format == "md" ? markdown_type : text_type;
}

}  // namespace

outcome router::metrics(const call& c) {
    metrics_options options;
    options.name_site = view_.name_site;
    options.measure_cheaply = [this] { return view_.measure_footprint(footprint_detail::cheap); };
    result<snapshot> s = view_.summarize();
    if (s) { view_.name_functions(*s, options.max_sites); }
    const auto families = collect_metrics_or_down(s, options);
    http_response out;
    if (wants_openmetrics(header(c.request, "Accept"))) {
        const auto exemplars = s ? collect_exemplars(*s, options) : exemplars_by_tag();
        out = answer(200, openmetrics_content_type, render_openmetrics(families, exemplars));
    } else {
        out = answer(200, metrics_content_type, render_metrics(families));
    }
    out.headers.emplace_back("Vary", "Accept");
    return out;
}

outcome router::healthz(const call&) {
    // 200 also when memwatch is degraded: whoever restarts on a failed liveness probe must not restart the service for us.
    const std::string detail = view_.health();
    return answer(200, text_type, detail.empty() ? "ok\n" : "ok, but memwatch: " + detail + "\n");
}

outcome router::table(const call& c) {
    table_request wanted;
    const auto format = c.target.choice("format", "json", "json|text");
    if (!format) { return refuse(format.error()); }
    const auto top = c.target.number("top", default_rows, max_top);
    if (!top) { return refuse(top.error()); }
    if (*top == 0) { return refuse(400, "top: must be at least 1"); }
    wanted.name = c.target.path.substr(c.target.path.rfind('/') + 1);
    wanted.by = c.target.text("by");
    wanted.cursor = c.target.text("cursor");
    wanted.top = *top;
    wanted.as_text = *format == "text";
    const auto epochs = c.target.number("epochs", 0, max_epochs);
    if (!epochs) { return refuse(epochs.error()); }
    const auto depth = c.target.number("depth", 0, max_stack_depth);
    if (!depth) { return refuse(depth.error()); }
    wanted.epochs = *epochs;
    wanted.depth = *depth;
    const bool needs_records = wanted.epochs != 0 || wanted.depth != 0 || c.target.find("since") != nullptr;
    const auto render = [this, wanted](snapshot& s) {
        return rendered(view_.render_table(s, wanted), wanted.as_text ? text_type : json_type);
    };
    const std::size_t named =
        wanted.name == "sites" || wanted.name == "survivors" ? std::min(wanted.top, named_sites_in_dump) : 0;
    const bool is_of_totals =
        wanted.name == "tags" || wanted.name == "pools" || wanted.name == "survivors" || wanted.name == "hand_offs";
    if (is_of_totals && !needs_records) {
        result<snapshot> s = view_.summarize();  // no live records needed, so no admission
        if (!s) { return refuse(s.error()); }
        if (named != 0) { view_.name_functions(*s, named); }
        return render(*s);
    }
    auto then = since(c, [this, named, render](snapshot& s) {
        view_.name_functions(s, named);
        return render(s);
    });
    return then ? with_snapshot({}, 0, std::move(*then)) : refuse(then.error());
}

outcome router::verdicts(const call& c) {
    result<verdict_request> wanted = verdicts_of(c.target);
    if (!wanted) { return refuse(wanted.error()); }
    const auto top = c.target.number("top", default_rows, max_top);
    if (!top) { return refuse(top.error()); }
    if (*top == 0) { return refuse(400, "top: must be at least 1"); }
    const auto records = c.target.choice("records", "1", "0|1");
    if (!records) { return refuse(records.error()); }
    wanted->top = *top;
    const auto render = [this, wanted = *wanted](snapshot& s) {
        view_.name_functions(s, std::min(wanted.top, named_sites_in_dump));
        return rendered(view_.render_verdicts(s, wanted), type_of(wanted.format));
    };
    if (*records == "1") { return with_snapshot({}, 0, render); }  // who the kept blocks are for stands in the records
    result<snapshot> s = view_.summarize();
    return s ? render(*s) : refuse(s.error());
}

outcome router::timeline(const call& c) {
    const auto format = c.target.choice("format", "json", "json|text");
    if (!format) { return refuse(format.error()); }
    const auto span_ns = parse_duration(c.target.text("since", "15m"));
    if (!span_ns) { return refuse(400, "since: how far to go back, 15m or 24h; " + span_ns.error().what); }
    const bool is_text = *format == "text";
    return rendered(view_.render_timeline(*span_ns, is_text), is_text ? text_type : json_type);
}

outcome router::config(const call& c) {
    const auto format = c.target.choice("format", "json", "json|text");
    if (!format) { return refuse(format.error()); }
    return rendered(view_.render_config(*format == "text"), *format == "text" ? text_type : json_type);
}

outcome router::control(const call& c) {
    const auto wanted = parse_control_form(header(c.request, "Content-Type"), c.request.body);
    if (!wanted) { return refuse(wanted.error()); }
    return rendered(view_.control(*wanted), json_type);
}

// `go tool pprof` asks here (by POST) about locations without a name, and gives up on any status but 200. The profile carries
// the names this process can give; the rest is resolved from the binaries.
outcome router::pprof_symbol(const call&) { return answer(200, text_type, "num_symbols: 0\n"); }

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
