// SPDX-License-Identifier: Apache-2.0
#pragma once
// The routes of docs/endpoints.md as a pure function: request in, response out. No socket, no session, no renderer lives here;
// everything that knows one is handed in as a `service_view`, so that tests hand in made-up snapshots.
//
// In: one request, parsed or not (nothing is believed). Out: a complete response, security headers included.
// Threads: handle() from any, concurrently; it never throws. Memory: one snapshot and its rendering a request in flight, and
// admission lets one of those in at a time.
//
//   request -> target parsed (400, 414) -> Host, Origin (403) -> route (404) -> method (405) -> body (413) -> token (401, 403)
//           -> parameters known? (400) -> route function -> HEAD drops the body
//
// Invariant: a GET changes nothing that another request can see, except the rate limit.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <memwatch/base/clock.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>
#include <memwatch/serve/http_handler.hpp>

#include "serve/access.hpp"
#include "serve/admission.hpp"
#include "serve/control_form.hpp"
#include "serve/kept_snapshots.hpp"
#include "serve/metrics.hpp"
#include "serve/target.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

struct table_request {
    std::string name;  // sites, types, tags, pools, threads, routes, traces
    std::string by;    // column to order by; empty = the table's own order
    std::string cursor;
    std::size_t top{};  // rows a page
    bool as_text{};
};

struct diff_request {
    std::string by;  // site, type, tag, trace, route, thread, pool
    std::string focus;
    double threshold_bytes{};
    std::size_t top{};
    bool as_text{};
};

// What the routes need from the rest of memwatch. All members must be set and callable from any thread.
struct service_view {
    std::function<result<snapshot>(std::string_view label)> freeze;  // full
    std::function<result<snapshot>()> summarize;                     // without live records, cheap
    std::function<void(snapshot&, std::size_t max_sites)> name_functions;
    std::function<result<std::string>(const snapshot&, std::string_view format)> encode;
    std::function<result<snapshot>(std::string_view dump)> decode;  // of encode(.., "memtrace")
    std::function<result<std::string>(const snapshot& before, const snapshot& after, const diff_request&)> render_diff;
    std::function<result<std::string>(const snapshot&, std::size_t top)> render_summary;
    std::function<result<std::string>(const snapshot&, const table_request&)> render_table;
    std::function<result<std::string>(bool as_text)> render_config;
    std::function<std::string()> health;  // empty = running; else one sentence
    site_namer name_site;
    std::function<result<std::string>(const control_request&)> control;  // applies it; the status afterwards, as JSON
};

struct router_options {
    access_policy access;
    bool debug_routes{true};
    std::size_t max_body_bytes{64 * 1024};
    std::size_t max_response_bytes{256ULL << 20};
    double full_snapshot_burst{20};
    std::uint64_t full_snapshot_refill_ns{1'000'000'000};
    clock_function clock{};  // null: the real one
};

class router {
public:
    // `kept` may be shared by several routers of one process.
    router(service_view view, router_options options, std::shared_ptr<kept_snapshots> kept);

    [[nodiscard]] http_response handle(const http_request& request) noexcept;

private:
    struct call;
    struct route;
    static const route routes[];

    [[nodiscard]] http_response dispatch(const http_request& request);
    [[nodiscard]] http_response respond(const http_request& request);
    template <class Function>
    [[nodiscard]] http_response with_full_snapshot(std::string_view label, Function then);

    [[nodiscard]] http_response metrics(const call& c);
    [[nodiscard]] http_response healthz(const call& c);
    [[nodiscard]] http_response summary(const call& c);
    [[nodiscard]] http_response dump(const call& c);
    [[nodiscard]] http_response keep(const call& c);
    [[nodiscard]] http_response diff(const call& c);
    [[nodiscard]] http_response table(const call& c);
    [[nodiscard]] http_response config(const call& c);
    [[nodiscard]] http_response control(const call& c);
    [[nodiscard]] http_response pprof(const call& c);
    [[nodiscard]] http_response pprof_symbol(const call& c);

    const service_view view_;
    const router_options options_;
    const std::shared_ptr<kept_snapshots> kept_;
    admission full_snapshots_;
};

// `text` with & < > " ' as character references.
[[nodiscard]] std::string escape_html(std::string_view text);

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
