// SPDX-License-Identifier: Apache-2.0
#include "serve/routes.hpp"

#include <chrono>
#include <new>
#include <thread>
#include <utility>

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

std::uint64_t steady_now() noexcept {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

void sleep_on_this_thread(std::uint64_t for_ns) { std::this_thread::sleep_for(std::chrono::nanoseconds(for_ns)); }

router_options with_real_time(router_options options) {
    if (options.clock == nullptr) { options.clock = &steady_now; }
    if (options.sleep == nullptr) { options.sleep = &sleep_on_this_thread; }
    return options;
}

template <class Result, class Function>
Result refusing_failures(const Function& run) {
    try {
        return run();
    } catch (const std::bad_alloc&) {
        return refuse(503, "not enough memory for the answer");
    } catch (const std::exception& e) { return refuse(500, e.what()); }
}

const char* not_here(route_set served) {
    if (served == route_set::all) { return "no such route; see /debug/memtrace"; }
    if (served == route_set::debug_only) {
        return "no such route at this address: it has the debug routes, see /debug/memtrace";
    }
    return "no such route at this address: it has /metrics and /healthz; debug routes are off, or where debug_listen says";
}

}  // namespace

struct router::route {
    std::string_view path;
    bool is_post;  // else GET and HEAD
    sensitivity what;
    std::string_view parameters;  // all it understands, '|' between
    outcome (router::*run)(const call&);
};

const router::route router::routes[] = {
    {"/metrics", false, sensitivity::open, "", &router::metrics},
    {"/healthz", false, sensitivity::open, "", &router::healthz},
    {"/debug/memtrace", false, sensitivity::debug, "top|format|seconds|since", &router::summary},
    {"/debug/memtrace/", false, sensitivity::debug, "top|format|seconds|since", &router::summary},
    {"/debug/memtrace/snapshot", false, sensitivity::debug, "format|label|seconds|kept|past|since|records", &router::dump},
    {"/debug/memtrace/snapshot", true, sensitivity::change, "label", &router::keep},
    {"/debug/memtrace/snapshots", false, sensitivity::debug, "format", &router::list_kept},
    {"/debug/memtrace/diff", false, sensitivity::debug, "base|since|threshold|focus|by|top|format", &router::diff},
    {"/debug/memtrace/sites", false, sensitivity::debug, "by|top|cursor|epochs|depth|format|since", &router::table},
    {"/debug/memtrace/types", false, sensitivity::debug, "by|top|cursor|epochs|depth|format|since", &router::table},
    {"/debug/memtrace/tags", false, sensitivity::debug, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/pools", false, sensitivity::debug, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/threads", false, sensitivity::debug, "by|top|cursor|epochs|depth|format|since", &router::table},
    {"/debug/memtrace/routes", false, sensitivity::debug, "by|top|cursor|epochs|depth|format|since", &router::table},
    {"/debug/memtrace/traces", false, sensitivity::debug, "by|top|cursor|epochs|depth|format|since", &router::table},
    {"/debug/memtrace/survivors", false, sensitivity::debug, "by|top|cursor|epochs|depth|format", &router::table},
    {"/debug/memtrace/hand_offs", false, sensitivity::debug, "by|top|cursor|format", &router::table},
    {"/debug/memtrace/verdicts", false, sensitivity::debug, "class|level|top|records|format", &router::verdicts},
    {"/debug/memtrace/footprint", false, sensitivity::debug, "detail|format", &router::footprint},
    {"/debug/memtrace/timeline", false, sensitivity::debug, "since|format", &router::timeline},
    {"/debug/memtrace/config", false, sensitivity::debug, "format", &router::config},
    {"/debug/memtrace/control", true, sensitivity::change, "", &router::control},
    {"/debug/pprof/heap", false, sensitivity::debug, "debug|gc|seconds", &router::pprof},
    {"/debug/pprof/allocs", false, sensitivity::debug, "debug|gc|seconds", &router::pprof},
    {"/debug/pprof/symbol", false, sensitivity::debug, "", &router::pprof_symbol},
    {"/debug/pprof/symbol", true, sensitivity::debug, "", &router::pprof_symbol},
};

router::router(service_view view, router_options options, std::shared_ptr<kept_snapshots> kept)
    : view_(std::move(view)),
      options_(with_real_time(std::move(options))),
      kept_(std::move(kept)),
      full_snapshots_(options_.clock, options_.full_snapshot_burst, options_.full_snapshot_refill_ns) {}

outcome router::begin(const http_request& request, const requester& who) noexcept {
    try {
        const bool is_head = request.method == "HEAD";
        outcome out = refusing_failures<outcome>([&] { return dispatch(request, who); });
        auto* const later = std::get_if<deferred>(&out);
        if (later == nullptr) { return finish(std::move(std::get<http_response>(out)), is_head); }
        later->then = [this, is_head, then = std::move(later->then)]() -> http_response {
            try {
                return finish(refusing_failures<http_response>(then), is_head);
            } catch (...) { return http_response{500, {}, {}}; }
        };
        return out;
    } catch (...) {  // the host must not pay for our bug, nor for its own lack of memory
        return http_response{500, {}, {}};
    }
}

http_response router::handle(const http_request& request, const requester& who) noexcept {
    try {
        outcome out = begin(request, who);
        if (auto* const later = std::get_if<deferred>(&out)) {
            options_.sleep(later->after_ns);
            return later->then();
        }
        return std::move(std::get<http_response>(out));
    } catch (...) { return http_response{500, {}, {}}; }
}

http_response router::finish(http_response out, bool is_head) const {
    if (out.body.size() > options_.max_response_bytes) {
        out = refuse(413, "the answer would have " + std::to_string(out.body.size()) +
                              " bytes, above this server's cap; ask for fewer rows, or another format");
    }
    add_security_headers(out);
    if (is_head) {
        out.headers.emplace_back("Content-Length", std::to_string(out.body.size()));
        out.body.clear();
    }
    return out;
}

bool router::is_served(const route& each) const {
    if (options_.routes == route_set::all) { return true; }
    return (options_.routes == route_set::debug_only) == (each.what != sensitivity::open);
}

outcome router::dispatch(const http_request& request, const requester& who) {
    const result<request_target> target = parse_target(request.target);
    if (!target) { return refuse(target.error().code == error_code::limit ? 414 : 400, target.error().message()); }
    if (const auto refused = check_origin(request, options_.access)) { return refuse(refused->status, refused->what); }

    const bool is_read = request.method == "GET" || request.method == "HEAD";
    const route* found = nullptr;
    std::string allowed;
    for (const route& each : routes) {
        if (each.path != target->path || !is_served(each)) { continue; }
        allowed += (allowed.empty() ? "" : ", ") + std::string(each.is_post ? "POST" : "GET, HEAD");
        if (each.is_post ? request.method == "POST" : is_read) { found = &each; }
    }
    if (allowed.empty()) { return refuse(404, not_here(options_.routes)); }
    if (found == nullptr) {
        http_response out = refuse(405, "this route answers to " + allowed);
        out.headers.emplace_back("Allow", allowed);
        return out;
    }
    if (const auto refused = check_host_given(found->what, request, options_.access)) {
        return refuse(refused->status, refused->what);
    }
    if (request.body.size() > options_.max_body_bytes) { return refuse(413, "the request body is too large"); }
    if (needs_token(found->what, request, who, options_.access.where)) {
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
    return (this->*found->run)({request, *target});
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
