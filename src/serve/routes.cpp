// SPDX-License-Identifier: Apache-2.0
#include "serve/routes.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <memwatch/base/units.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

constexpr std::size_t default_top = 20;
constexpr std::size_t max_top = 10'000;
constexpr std::size_t named_sites_in_dump = 200;  // symbol-table look-ups a text dump may cost; the rest is module + offset

constexpr const char* text_type = "text/plain; charset=utf-8";
constexpr const char* json_type = "application/json";
constexpr const char* html_type = "text/html; charset=utf-8";

std::uint64_t steady_now() noexcept {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

http_response answer(unsigned status, const char* content_type, std::string body) {
    http_response out;
    out.status = status;
    out.headers = {{"Content-Type", content_type}};
    out.body = std::move(body);
    return out;
}

http_response refuse(unsigned status, std::string_view what) { return answer(status, text_type, std::string(what) + "\n"); }

unsigned status_of(error_code code) {
    switch (code) {
        case error_code::invalid_argument:
            return 400;
        case error_code::not_found:
            return 404;
        case error_code::unsupported:
            return 501;
        case error_code::limit:
            return 413;
        case error_code::unavailable:
            return 503;
        case error_code::unreachable:
            return 502;
        case error_code::unreadable:
        case error_code::io:
            break;
    }
    return 500;
}

http_response refuse(const error& e) { return refuse(status_of(e.code), e.message()); }

http_response rendered(result<std::string> body, const char* content_type) {
    return body ? answer(200, content_type, std::move(*body)) : refuse(body.error());
}

struct format_row {
    std::string_view name;
    const char* content_type;
    const char* file_name;
    bool wants_names;
};

constexpr format_row formats[] = {
    {"memtrace", "application/octet-stream", "memwatch.memtrace", false},
    {"json", json_type, "memwatch.json", true},
    {"jsonl", "application/x-ndjson", "memwatch.jsonl", true},
    {"pprof", "application/octet-stream", "memwatch.pb.gz", true},
    {"folded", text_type, "memwatch.folded", true},
};

const format_row* find_format(std::string_view name) {
    const auto* const it = std::find_if(std::begin(formats), std::end(formats), [&](const auto& f) { return f.name == name; });
    return it == std::end(formats) ? nullptr : it;
}

http_response attachment(result<std::string> body, const format_row& format) {
    http_response out = rendered(std::move(body), format.content_type);
    if (out.status == 200) {
        out.headers.emplace_back("Content-Disposition", std::string("attachment; filename=\"") + format.file_name + "\"");
    }
    return out;
}

// A browser asks for text/html by name; curl sends */*, Prometheus its own types.
bool wants_html(const http_request& request) { return header(request, "Accept").find("text/html") != std::string_view::npos; }

std::string html_page(std::string_view text) {
    return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>memwatch</title></head>\n<body><pre>" +
           escape_html(text) + "</pre></body></html>\n";
}

http_response seconds_not_yet() {
    return refuse(400,
                  "seconds: a delta over a window is not supported yet; keep a snapshot with "
                  "POST /debug/memtrace/snapshot?label=L and ask /debug/memtrace/diff?base=L later");
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) { out += (out.empty() ? "" : ", ") + word; }
    return out;
}

void add_security_headers(http_response& response) {
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    response.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
}

}  // namespace

std::string escape_html(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

struct router::call {
    const http_request& request;
    const request_target& target;
    bool is_head{};
};

struct router::route {
    std::string_view path;
    bool is_post;                 // else GET and HEAD
    bool is_debug;                // can be switched off; needs the token beyond loopback
    bool is_change;               // needs the token everywhere
    std::string_view parameters;  // all it understands, '|' between
    http_response (router::*run)(const call&);
};

const router::route router::routes[] = {
    {"/metrics", false, false, false, "", &router::metrics},
    {"/healthz", false, false, false, "", &router::healthz},
    {"/debug/memtrace", false, true, false, "top|format", &router::summary},
    {"/debug/memtrace/", false, true, false, "top|format", &router::summary},
    {"/debug/memtrace/snapshot", false, true, false, "format|label|seconds", &router::dump},
    {"/debug/memtrace/snapshot", true, true, true, "label", &router::keep},
    {"/debug/memtrace/diff", false, true, false, "base|threshold|focus|by|top|format", &router::diff},
    {"/debug/memtrace/sites", false, true, false, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/types", false, true, false, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/tags", false, true, false, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/pools", false, true, false, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/threads", false, true, false, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/routes", false, true, false, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/traces", false, true, false, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/survivors", false, true, false, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/hand_offs", false, true, false, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/config", false, true, false, "format", &router::config},
    {"/debug/memtrace/control", true, true, true, "", &router::control},
    {"/debug/pprof/heap", false, true, false, "debug|gc|seconds", &router::pprof},
    {"/debug/pprof/allocs", false, true, false, "debug|gc|seconds", &router::pprof},
    {"/debug/pprof/symbol", false, true, false, "", &router::pprof_symbol},
    {"/debug/pprof/symbol", true, true, false, "", &router::pprof_symbol},
};

router::router(service_view view, router_options options, std::shared_ptr<kept_snapshots> kept)
    : view_(std::move(view)),
      options_(std::move(options)),
      kept_(std::move(kept)),
      full_snapshots_(options_.clock != nullptr ? options_.clock : &steady_now, options_.full_snapshot_burst,
                      options_.full_snapshot_refill_ns) {}

http_response router::handle(const http_request& request) noexcept {
    try {
        http_response out = respond(request);
        if (out.body.size() > options_.max_response_bytes) {
            out = refuse(413, "the answer would have " + std::to_string(out.body.size()) +
                                  " bytes, above this server's cap; ask for fewer rows, or another format");
        }
        add_security_headers(out);
        if (request.method == "HEAD") {
            out.headers.emplace_back("Content-Length", std::to_string(out.body.size()));
            out.body.clear();
        }
        return out;
    } catch (...) {  // the host must not pay for our bug, nor for its own lack of memory
        return http_response{500, {}, {}};
    }
}

http_response router::respond(const http_request& request) {
    try {
        return dispatch(request);
    } catch (const std::bad_alloc&) {
        return refuse(503, "not enough memory for the answer");
    } catch (const std::exception& e) { return refuse(500, e.what()); }
}

http_response router::dispatch(const http_request& request) {
    const result<request_target> target = parse_target(request.target);
    if (!target) { return refuse(target.error().code == error_code::limit ? 414 : 400, target.error().message()); }
    if (const auto refused = check_origin(request, options_.access)) { return refuse(refused->status, refused->what); }

    const bool is_read = request.method == "GET" || request.method == "HEAD";
    const route* found = nullptr;
    std::string allowed;
    for (const route& each : routes) {
        if (each.path != target->path || (each.is_debug && !options_.debug_routes)) { continue; }
        allowed += (allowed.empty() ? "" : ", ") + std::string(each.is_post ? "POST" : "GET, HEAD");
        if (each.is_post ? request.method == "POST" : is_read) { found = &each; }
    }
    if (allowed.empty()) {
        return refuse(404,
                      options_.debug_routes ? "no such route; see /debug/memtrace" : "no such route (debug routes are off)");
    }
    if (found == nullptr) {
        http_response out = refuse(405, "this route answers to " + allowed);
        out.headers.emplace_back("Allow", allowed);
        return out;
    }
    if (request.body.size() > options_.max_body_bytes) { return refuse(413, "the request body is too large"); }
    if (found->is_change || (found->is_debug && options_.access.where == exposure::network)) {
        if (const auto refused = check_token(request, options_.access)) {
            http_response out = refuse(refused->status, refused->what);
            if (refused->status == 401) { out.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"memwatch\""); }
            return out;
        }
    }
    for (const auto& [name, value] : target->parameters) {
        if (!is_listed(name, found->parameters)) {
            return refuse(400, name + ": unknown parameter; " + std::string(target->path) +
                                   (found->parameters.empty() ? " takes none" : " takes " + std::string(found->parameters)));
        }
    }
    return (this->*found->run)({request, *target, request.method == "HEAD"});
}

template <class Function>
http_response router::with_full_snapshot(std::string_view label, Function then) {
    const admission::ticket ticket = full_snapshots_.try_enter();
    if (!ticket.is_admitted()) {
        http_response out = refuse(429, "full snapshots are taken one at a time and at most one a second over time; try again");
        out.headers.emplace_back("Retry-After", std::to_string(ticket.retry_after_s()));
        return out;
    }
    result<snapshot> frozen = view_.freeze(label);
    return frozen ? then(*frozen) : refuse(frozen.error());
}

http_response router::metrics(const call&) {
    metrics_options options;
    options.name_site = view_.name_site;
    result<snapshot> s = view_.summarize();
    if (s) { view_.name_functions(*s, options.max_sites); }
    return answer(200, metrics_content_type, render_metrics(collect_metrics_or_down(s, options)));
}

http_response router::healthz(const call&) {
    // 200 also when memwatch is degraded: whoever restarts on a failed liveness probe must not restart the service for us.
    const std::string detail = view_.health();
    return answer(200, text_type, detail.empty() ? "ok\n" : "ok, but memwatch: " + detail + "\n");
}

http_response router::summary(const call& c) {
    const auto top = c.target.number("top", default_top, max_top);
    if (!top) { return refuse(top.error()); }
    const auto format = c.target.choice("format", wants_html(c.request) ? "html" : "text", "text|html");
    if (!format) { return refuse(format.error()); }
    http_response out = with_full_snapshot({}, [&](snapshot& s) {
        view_.name_functions(s, *top);
        return rendered(view_.render_summary(s, *top), text_type);
    });
    if (out.status == 200 && *format == "html") { out = answer(200, html_type, html_page(out.body)); }
    out.headers.emplace_back("Vary", "Accept");
    return out;
}

http_response router::dump(const call& c) {
    if (c.target.find("seconds") != nullptr) { return seconds_not_yet(); }
    const std::string label = c.target.text("label");
    if (!label.empty() && !is_label(label)) { return refuse(400, "label: 1 to 64 characters of A-Z a-z 0-9 . _ -"); }
    const format_row* const format = find_format(c.target.text("format", "memtrace"));
    if (format == nullptr) { return refuse(400, "format: must be one of memtrace|json|jsonl|pprof|folded"); }
    return with_full_snapshot(label, [&](snapshot& s) {
        if (format->wants_names) { view_.name_functions(s, named_sites_in_dump); }
        return attachment(view_.encode(s, format->name), *format);
    });
}

http_response router::keep(const call& c) {
    const std::string label = c.target.text("label");
    if (!is_label(label)) { return refuse(400, "label: 1 to 64 characters of A-Z a-z 0-9 . _ -"); }
    return with_full_snapshot(label, [&](snapshot& s) {
        result<std::string> dump = view_.encode(s, "memtrace");
        if (!dump) { return refuse(dump.error()); }
        const std::size_t bytes = dump->size();
        if (const auto kept = kept_->keep(label, std::move(*dump)); !kept) { return refuse(kept.error()); }
        return answer(201, json_type,
                      "{\"label\":\"" + label + "\",\"bytes\":" + std::to_string(bytes) +
                          ",\"taken_ns\":" + std::to_string(s.info.taken_ns) + "}\n");
    });
}

http_response router::diff(const call& c) {
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

    const std::string base = c.target.text("base");
    if (base.empty()) { return refuse(400, "base: the label of a kept snapshot is needed"); }
    const auto kept = kept_->find(base);
    if (kept == nullptr) {
        const std::string labels = joined(kept_->labels());
        return refuse(404, "base: no kept snapshot has this label; " +
                               (labels.empty() ? "none is kept (POST /debug/memtrace/snapshot?label=L)" : "kept: " + labels));
    }
    return with_full_snapshot({}, [&](snapshot& after) {
        result<snapshot> before = view_.decode(*kept);
        if (!before) { return refuse(before.error()); }
        view_.name_functions(*before, named_sites_in_dump);
        view_.name_functions(after, named_sites_in_dump);
        return rendered(view_.render_diff(*before, after, wanted), wanted.as_text ? text_type : json_type);
    });
}

http_response router::table(const call& c) {
    table_request wanted;
    const auto format = c.target.choice("format", "json", "json|text");
    if (!format) { return refuse(format.error()); }
    const auto top = c.target.number("top", 100, max_top);
    if (!top) { return refuse(top.error()); }
    if (*top == 0) { return refuse(400, "top: must be at least 1"); }
    wanted.name = c.target.path.substr(c.target.path.rfind('/') + 1);
    wanted.by = c.target.text("by");
    wanted.cursor = c.target.text("cursor");
    wanted.top = *top;
    wanted.as_text = *format == "text";
    const auto render = [&](snapshot& s) {
        return rendered(view_.render_table(s, wanted), wanted.as_text ? text_type : json_type);
    };
    const std::size_t named =
        wanted.name == "sites" || wanted.name == "survivors" ? std::min(wanted.top, named_sites_in_dump) : 0;
    if (wanted.name == "tags" || wanted.name == "pools" || wanted.name == "survivors" || wanted.name == "hand_offs") {
        result<snapshot> s = view_.summarize();  // no live records needed, so no admission
        if (!s) { return refuse(s.error()); }
        if (named != 0) { view_.name_functions(*s, named); }
        return render(*s);
    }
    return with_full_snapshot({}, [&](snapshot& s) {
        view_.name_functions(s, named);
        return render(s);
    });
}

http_response router::config(const call& c) {
    const auto format = c.target.choice("format", "json", "json|text");
    if (!format) { return refuse(format.error()); }
    return rendered(view_.render_config(*format == "text"), *format == "text" ? text_type : json_type);
}

http_response router::control(const call& c) {
    const auto wanted = parse_control_form(header(c.request, "Content-Type"), c.request.body);
    if (!wanted) { return refuse(wanted.error()); }
    return rendered(view_.control(*wanted), json_type);
}

http_response router::pprof(const call& c) {
    if (c.target.find("seconds") != nullptr) { return seconds_not_yet(); }
    if (c.target.text("debug", "0") != "0") {
        return refuse(400, "debug: only 0, the protobuf profile; the readable text is /debug/memtrace");
    }
    return with_full_snapshot({}, [&](snapshot& s) {
        const format_row* const format = find_format("pprof");
        view_.name_functions(s, named_sites_in_dump);
        return attachment(view_.encode(s, format->name), *format);
    });
}

// `go tool pprof` asks here (by POST) about locations without a name, and gives up on any status but 200. The profile carries
// the names this process can give; the rest is resolved from the binaries.
http_response router::pprof_symbol(const call&) { return answer(200, text_type, "num_symbols: 0\n"); }

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
