// SPDX-License-Identifier: Apache-2.0
#pragma once
// The routes of docs/endpoints.md as a pure function: request in, response out. No socket, no session, no renderer lives here;
// everything that knows one is handed in as a `service_view`, so that tests hand in made-up snapshots.
//
// In: one request, parsed or not (nothing is believed). Out: a complete response, security headers included, or one to be
// waited for (deferred.hpp). Threads: begin() and handle() from any, concurrently; they never throw. Memory: one snapshot and
// its rendering a request in flight, and admission lets one of those in at a time; while a window is open, its start's summary.
//
//   request -> target parsed (400, 414) -> Host, Origin (403) -> route (404) -> method (405) -> body (413) -> token (401, 403)
//           -> parameters known? (400) -> route function (routes.cpp's table says which) -> HEAD drops the body
//
// Invariant: a GET changes nothing that another request can see, except the rate limit.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/clock.hpp>
#include <memwatch/base/result.hpp>
#include <memwatch/model/footprint.hpp>
#include <memwatch/model/snapshot.hpp>
#include <memwatch/model/verdict.hpp>
#include <memwatch/serve/http_handler.hpp>

#include "serve/access.hpp"
#include "serve/admission.hpp"
#include "serve/answers.hpp"
#include "serve/control_form.hpp"
#include "serve/deferred.hpp"
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
    std::size_t top{};       // rows a page
    std::uint64_t epochs{};  // only blocks alive for that many
    std::size_t depth{};     // only blocks from stacks of at least that many frames
    bool as_text{};
};

struct verdict_request {
    verdict_level least{verdict_level::suspect};  // rows of that level and above
    std::optional<verdict_class> only;            // rows of that class, whatever its level
    std::size_t top{};                            // rows
    std::string format;                           // json, text, md
};

// Whether mappings and heap are looked through: never, where that is quick, always.
enum class footprint_detail { cheap, automatic, all };

struct diff_request {
    std::string by;  // site, type, tag, trace, route, thread, pool
    std::string focus;
    double threshold_bytes{};
    std::size_t top{};
    bool as_text{};
};

// The snapshots that the process keeps of itself (src/history), oldest first.
struct history_page {
    struct row {
        std::string name;
        std::uint64_t bytes{};
        std::uint64_t taken_unix_ns{};
        std::uint64_t age_ns{};
        std::string problem;  // why it cannot be used; empty = nothing is known against it
    };
    std::vector<row> rows;
    std::uint64_t bytes{};
    std::uint64_t max_bytes{};
    std::string where;    // "memory" or a folder; empty: there is no history
    std::string problem;  // why the last one was not kept, or not there
};

// What the routes need from the rest of memwatch. All members must be set and callable from any thread.
struct service_view {
    std::function<result<snapshot>(std::string_view label)> freeze;  // full
    std::function<result<snapshot>()> summarize;                     // without live records, cheap
    std::function<void(snapshot&, std::size_t max_sites)> name_functions;
    std::function<result<snapshot>(const snapshot& start, snapshot end)> cut_window;  // what happened in between
    std::function<result<snapshot>(snapshot)> cut_to_baseline;                        // what was born after the mark it knows
    std::function<result<std::string>(const snapshot&, std::string_view format)> encode;
    std::function<result<snapshot>(std::string_view dump)> decode;  // of encode(.., "memtrace")
    std::function<result<std::string>(const snapshot& before, const snapshot& after, const diff_request&)> render_diff;
    std::function<result<std::string>(const snapshot&, std::size_t top)> render_summary;
    std::function<result<std::string>(const snapshot&, const table_request&)> render_table;
    std::function<result<std::string>(const snapshot&, const verdict_request&)> render_verdicts;
    std::function<result<footprint>(footprint_detail)> measure_footprint;
    std::function<result<std::string>(const footprint&, std::string_view format)> render_footprint;  // json, text, md
    std::function<result<std::string>(bool as_text)> render_config;
    std::function<std::string()> health;  // empty = running; else one sentence
    site_namer name_site;
    std::function<result<history_page>()> history;
    std::function<result<std::string>(std::string_view name)> past_dump;  // of the history; errors: not_found, unreadable, io
    std::function<result<std::string>(std::uint64_t age_ns)> past_dump_from;  // the youngest that is at least so old
    std::function<result<std::string>(std::uint64_t span_ns, bool as_text)> render_timeline;
    std::function<result<std::string>(const control_request&)> control;  // applies it; the status afterwards, as JSON
};

enum class route_set { all, without_debug, debug_only };

struct router_options {
    access_policy access;
    route_set routes{route_set::all};
    std::size_t max_body_bytes{64 * 1024};
    std::size_t max_response_bytes{256ULL << 20};
    double full_snapshot_burst{20};
    std::uint64_t full_snapshot_refill_ns{1'000'000'000};
    clock_function clock{};                         // null: the real one
    void (*sleep)(std::uint64_t for_ns) = nullptr;  // what handle() waits with; null: the real one
};

class router {
public:
    // `kept` may be shared by several routers of one process.
    router(service_view view, router_options options, std::shared_ptr<kept_snapshots> kept);

    // The router must outlive what it defers.
    [[nodiscard]] outcome begin(const http_request& request, const requester& who = {}) noexcept;

    // The same for who has a thread to spare: sleeps on it while a window is open, up to 300 s.
    [[nodiscard]] http_response handle(const http_request& request, const requester& who = {}) noexcept;

private:
    struct call {  // valid until begin() returns: what is deferred copies what it needs
        const http_request& request;
        const request_target& target;
    };
    struct route;
    static const route routes[];
    using snapshot_function = std::function<http_response(snapshot&)>;

    static constexpr std::size_t default_top = 20;
    static constexpr std::size_t max_top = 10'000;
    static constexpr std::size_t named_sites_in_dump = 200;  // symbol-table look-ups a dump may cost; the rest is an offset
    static constexpr std::size_t max_window_s = 300;

    // routes.cpp
    [[nodiscard]] bool is_served(const route& each) const;
    [[nodiscard]] outcome dispatch(const http_request& request, const requester& who);
    [[nodiscard]] http_response finish(http_response out, bool is_head) const;

    // snapshot_routes.cpp
    [[nodiscard]] static result<std::size_t> window_of(const call& c);  // `seconds`; 0: not given
    // `then`, of what was born after the baseline if since=baseline asks for that. Errors: invalid_argument.
    [[nodiscard]] result<snapshot_function> since(const call& c, snapshot_function then) const;
    [[nodiscard]] outcome with_snapshot(std::string_view label, std::size_t window_s, snapshot_function then);
    [[nodiscard]] outcome summary(const call& c);
    [[nodiscard]] outcome dump(const call& c);
    [[nodiscard]] outcome kept_dump(const call& c, const format_row& format);
    [[nodiscard]] outcome keep(const call& c);
    [[nodiscard]] outcome list_kept(const call& c);
    // What somebody kept by that label, or the history by itself under that name. Errors: not_found, saying what there is;
    // unreadable, io.
    [[nodiscard]] result<std::shared_ptr<const std::string>> find_kept(const char* parameter, const std::string& name) const;
    // The youngest of the history that is at least so old, as in "2h". Errors: as above, invalid_argument.
    [[nodiscard]] result<std::shared_ptr<const std::string>> find_past(const char* parameter, const std::string& age) const;
    [[nodiscard]] outcome diff(const call& c);
    [[nodiscard]] outcome footprint(const call& c);
    [[nodiscard]] outcome pprof(const call& c);

    // page_routes.cpp
    [[nodiscard]] outcome metrics(const call& c);
    [[nodiscard]] outcome healthz(const call& c);
    [[nodiscard]] outcome table(const call& c);
    [[nodiscard]] outcome verdicts(const call& c);
    [[nodiscard]] outcome config(const call& c);
    [[nodiscard]] outcome timeline(const call& c);
    [[nodiscard]] outcome control(const call& c);
    [[nodiscard]] outcome pprof_symbol(const call& c);

    const service_view view_;
    const router_options options_;
    const std::shared_ptr<kept_snapshots> kept_;
    admission full_snapshots_;
};

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
