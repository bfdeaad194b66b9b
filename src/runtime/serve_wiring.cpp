// SPDX-License-Identifier: Apache-2.0
// The public face of libmemwatch-serve: joins the routes (serve/) with the process-wide session, the codec and the renderers.
// Compiled into libmemwatch-serve only, so that libmemwatch knows no HTTP.
//
// Everything here refers to the process-wide session through a default-made `session`, whose members work as long as anything
// was ever started; so a handler or a server may outlive the session it was made from.

#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <memwatch/base/log.hpp>
#include <memwatch/diff/diff.hpp>
#include <memwatch/model/site_name.hpp>
#include <memwatch/serve/collectable.hpp>
#include <memwatch/serve/http_handler.hpp>
#include <memwatch/serve/server.hpp>
#include <memwatch/session.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "capture/own_work.hpp"
#include "notify/alertmanager_url.hpp"
#include "notify/leak_alert.hpp"
#include "report/json.hpp"
#include "report/text.hpp"
#include "report/view.hpp"
#include "runtime/process_status.hpp"
#include "runtime/server_settings.hpp"
#include "runtime/service_renderers.hpp"
#include "serve/alert_poster.hpp"
#include "serve/config_page.hpp"
#include "serve/http_server.hpp"
#include "serve/listen_address.hpp"
#include "serve/routes.hpp"
#include "verdict/sentence.hpp"

namespace memwatch {
inline namespace v1 {

namespace {

// Kept snapshots belong to the process: what one server kept, a handler mounted elsewhere finds. Never destroyed.
const std::shared_ptr<serve::kept_snapshots>& kept_snapshots() {
    static const auto& it = *new std::shared_ptr<serve::kept_snapshots>(std::make_shared<serve::kept_snapshots>());
    return it;
}

void add_self_bytes(snapshot& s) { s.self_bytes.push_back({"kept_snapshots", kept_snapshots()->bytes()}); }

// Of the process, as what was kept. Null until it tells anybody.
std::atomic<serve::alert_counts*> told_alerts{nullptr};

serve::alert_counts& alert_counts() {
    static auto& it = *new serve::alert_counts();
    // release: pairs with the acquire in add_alert_counts().
    told_alerts.store(&it, std::memory_order_release);
    return it;
}

void add_alert_counts(snapshot& s) {
    // acquire: pairs with the release in alert_counts().
    const serve::alert_counts* const counts = told_alerts.load(std::memory_order_acquire);
    if (counts == nullptr) { return; }
    // relaxed, all: figures.
    s.activity.push_back({"alerts_firing", counts->firing.load(std::memory_order_relaxed)});
    s.activity.push_back({"alert_posts", counts->posts.load(std::memory_order_relaxed)});
    s.activity.push_back({"alert_post_failures", counts->failures.load(std::memory_order_relaxed)});
}

std::string state_in_words(const session_status& status) {
    switch (status.state) {
        case session_state::running:
            return "running";
        case session_state::degraded:
            return "degraded: " + status.detail;
        case session_state::stopped:
            break;
    }
    return status.detail.empty() ? "stopped" : "stopped: " + status.detail;
}

// --- the view the routes have of memwatch

result<snapshot> freeze(std::string_view label) {
    result<snapshot> out = session{}.snapshot(label);
    if (out) { add_self_bytes(*out); }
    return out;
}

result<snapshot> summarize() {
    result<snapshot> out = session{}.summary();
    if (out) {
        add_self_bytes(*out);
        add_alert_counts(*out);
    }
    return out;
}

// As at the control socket, and the same commands; exported by libmemwatch for this.
result<std::string> control_session(const serve::control_request& wanted) {
    result<std::string> status = std::string();
    for (const std::string& line : wanted.lines()) {
        if (status = detail::control_process(line); !status) { break; }
    }
    return status.map([](const std::string& lines) { return fields_to_json(lines); });
}

// The words of the control socket, here too: one door to the history, and no export of its own.
void fill_history(serve::service_view& view) {
    view.history = [] { return detail::control_process("history").map(&read_history_page); };
    view.past_dump = [](std::string_view name) {
        const bool is_word = serve::is_label(name);  // others would not stand in a line
        return is_word ? detail::control_process("past name=" + std::string(name))
                       : result<std::string>(fail(error_code::not_found, "no such name"));
    };
    view.past_dump_from = [](std::uint64_t age_ns) {
        return detail::control_process("past since=" + std::to_string(age_ns / 1'000'000) + "ms");
    };
}

result<footprint> measure(serve::footprint_detail how) {
    footprint_request asked;
    asked.must_be_detailed = how == serve::footprint_detail::all;
    if (how == serve::footprint_detail::cheap) { asked.most_resident_bytes = 0; }
    return detail::process_footprint(asked);
}

result<std::string> render_timeline(std::uint64_t span_ns, bool as_text) {
    const std::string span = std::to_string(span_ns / 1'000'000'000) + "s";
    return detail::control_process("timeline since=" + span + (as_text ? " format=text" : ""));
}

serve::service_view make_service_view(const serve_settings& settings, serve::exposure where) {
    serve::service_view out;
    out.freeze = &freeze;
    out.summarize = &summarize;
    out.name_functions = [](snapshot& s, std::size_t max_sites) { session{}.name_functions(s, max_sites); };
    fill_renderers(out);
    fill_history(out);
    out.control = &control_session;
    out.measure_footprint = &measure;
    out.render_timeline = &render_timeline;
    out.render_config = [settings, where](bool as_text) -> result<std::string> {
        const std::vector<serve::config_row> rows = config_rows(settings, where);
        const std::string state = state_in_words(detail::process_status());
        return as_text ? serve::render_config_text(rows, state) : serve::render_config_json(rows, state);
    };
    out.health = [] {
        const session_status status = detail::process_status();
        return status.state == session_state::running ? std::string() : state_in_words(status);
    };
    return out;
}

std::shared_ptr<serve::router> make_router(const serve_settings& settings, serve::exposure where, serve::route_set routes) {
    serve::router_options how;
    how.access = {where, settings.token};
    how.routes = routes;
    return std::make_shared<serve::router>(make_service_view(settings, where), how, kept_snapshots());
}

serve::route_set all_or_without_debug(const serve_settings& settings) {
    return settings.options.debug_routes ? serve::route_set::all : serve::route_set::without_debug;
}

}  // namespace

// --- include/memwatch/serve/http_handler.hpp

http_handler_function http_handler(const session&) {
    const serve_settings settings = merge_environment({});
    return [router = make_router(settings, serve::exposure::mounted, all_or_without_debug(settings))](
               const http_request& request) { return router->handle(request); };
}

// --- include/memwatch/serve/collectable.hpp

std::shared_ptr<prometheus::Collectable> collectable(const session&) {
    serve::metrics_options how;
    how.name_site = [](const snapshot& s, const site& of) { return site_name(s, of); };
    how.measure_cheaply = [] { return measure(serve::footprint_detail::cheap); };
    const auto source = [top = how.max_sites]() -> result<snapshot> {
        result<snapshot> s = summarize();
        if (s) { session{}.name_functions(*s, top); }
        return s;
    };
    return std::make_shared<serve::snapshot_collectable>(source, std::move(how));
}

// --- include/memwatch/serve/server.hpp

namespace {

// One line for a log; what came from the environment must not add a second.
void log_detail(log_level level, const std::string& detail) {
    const std::string name = level == log_level::info ? "info" : "warning";
    write_log(level, "memwatch level=" + name + " event=server detail=" + serve::quote_json(detail));
}

}  // namespace

constexpr const char* verdicts_page = "/debug/memtrace/verdicts?format=text";

// Who speaks in the alerts, as scraping would label it: the service, and where it answers.
result<notify::speaker> speaker_of(const serve_settings& settings, const serve::http_server* http) {
    result<notify::label_set> labels = notify::read_labels(settings.options.alert_labels);
    if (!labels) { return tl::unexpected<error>(labels.error()); }
    notify::speaker who{std::move(*labels), {}};
    const result<snapshot> now = session{}.summary();
    const std::string host = now ? now->info.host : std::string();
    if (now) { who.labels.emplace("service", now->info.service.empty() ? now->info.executable : now->info.service); }
    std::string instance = host;
    if (http != nullptr && !http->address().is_unix()) {
        const serve::listen_address& where = http->address();
        const bool is_any = where.host == "0.0.0.0" || where.host == "::";
        instance += ":" + std::to_string(where.port);
        const bool has_debug_routes = settings.options.debug_routes && settings.options.debug_listen.empty();
        if (has_debug_routes) { who.generator_url = "http://" + (is_any ? instance : where.to_string()) + verdicts_page; }
    } else if (now) {
        // Two processes of a host are two, or the end of one would be the other's.
        instance += "/" + std::to_string(now->info.pid);
    }
    who.labels.emplace("instance", instance);
    return who;
}

std::vector<notify::alert> firing_alerts(const notify::speaker& who) {
    // What fired is over when nobody samples any more; not because memory is short, when it matters most.
    if (detail::process_status().state == session_state::stopped) { return {}; }
    result<snapshot> now = session{}.summary();
    if (!now) { throw std::runtime_error(now.error().message()); }
    session{}.name_functions(*now, notify::most_leak_alerts);
    std::vector<notify::alert> alerts =
        notify::leak_alerts(*now, who, [](const verdict& of, const snapshot& in) { return sentence(of, in); });
    for (notify::alert& each : notify::oom_alerts(*now, who)) { alerts.push_back(std::move(each)); }
    return alerts;
}

class server::impl {
public:
    std::unique_ptr<serve::http_server> http;     // null when it could not start
    std::unique_ptr<serve::http_server> debug;    // of the debug routes alone; null when there is none, or it could not start
    std::unique_ptr<serve::alert_poster> alerts;  // null when nobody is to be told
    std::string detail;                           // what is amiss; empty = nothing

    void start(const serve_settings& settings) {
        if (memwatch::detail::process_options().disabled) {  // MEMWATCH_DISABLED
            detail = memwatch::detail::process_status().detail;
            return;
        }
        detail = settings.problem;
        const bool is_split = settings.options.debug_routes && !settings.options.debug_listen.empty();
        const auto routes = is_split ? serve::route_set::without_debug : all_or_without_debug(settings);
        http = open(settings, settings.options.listen, routes);
        if (is_split) { debug = open(settings, settings.options.debug_listen, serve::route_set::debug_only); }
        if (auto done = tell_alerts(settings); !done) { add_detail(done.error().message()); }
    }

private:
    void add_detail(const std::string& more) { detail += (detail.empty() ? "" : "; ") + more; }

    result<void> tell_alerts(const serve_settings& settings) {
        if (settings.options.alertmanager.empty()) { return {}; }
        auto peers = notify::alertmanager_urls(settings.options.alertmanager);
        if (!peers) { return tl::unexpected<error>(peers.error()); }
        auto who = speaker_of(settings, http.get());
        if (!who) { return tl::unexpected<error>(who.error()); }
        const serve::alert_settings how{std::move(*peers), settings.options.alert_repeat_ns / 1'000'000,
                                        &detail::own_work::keep_for_thread};
        alerts = std::make_unique<serve::alert_poster>(
            how, [who = std::move(*who)] { return firing_alerts(who); }, alert_counts());
        return {};
    }

    // Null when it could not; why is added to what is amiss.
    std::unique_ptr<serve::http_server> open(const serve_settings& settings, const std::string& listen,
                                             serve::route_set routes) {
        auto opened = serve::parse_listen_address(listen).and_then([&](const serve::listen_address& where) {
            const auto router = make_router(settings, serve::exposure_of(where), routes);
            serve::http_limits limits;
            limits.on_thread = &detail::own_work::keep_for_thread;
            return serve::http_server::start(
                where, [router](const http_request& r, const serve::requester& who) { return router->begin(r, who); }, limits);
        });
        if (opened) { return std::move(*opened); }
        add_detail(opened.error().message());
        return nullptr;
    }
};

server::server() noexcept = default;
server::server(server&&) noexcept = default;
server& server::operator=(server&&) noexcept = default;
server::~server() = default;

// For a program that calls nothing: the preload object finds this by its name when MEMWATCH_LISTEN is set. Lives as long as the
// process.
extern "C" MEMWATCH_API void memwatch_serve_from_environment() noexcept {
    try {
        static server& started = *new server(server::start(session{}));
        // What was told to Alertmanagers ends with the process, when it ends by itself.
        if (::secure_getenv("MEMWATCH_ALERTMANAGER") != nullptr) {
            static_cast<void>(std::atexit([] { started.stop(); }));
        }
        static_cast<void>(started);
    } catch (...) {}  // no memory: no server
}

server server::start(const session&, server_options wanted) noexcept {
    server out;
    try {
        out.impl_ = std::make_unique<impl>();
        out.impl_->start(merge_environment(std::move(wanted)));
        if (!out.impl_->detail.empty()) {
            const bool was_wanted = memwatch::detail::process_options().disabled;  // somebody switched it off: nothing is amiss
            log_detail(was_wanted ? log_level::info : log_level::warning, out.impl_->detail);
        }
    } catch (const std::exception& e) {
        if (out.impl_ != nullptr) { out.impl_->detail = e.what(); }
    }
    return out;
}

void server::stop() noexcept {
    if (impl_ == nullptr) { return; }
    if (impl_->alerts != nullptr) { impl_->alerts->stop(); }
    for (const auto& each : {impl_->http.get(), impl_->debug.get()}) {
        if (each != nullptr) { each->stop(); }
    }
}

server_status server::status() const {
    if (impl_ == nullptr) { return {false, {}, "not started", {}}; }
    server_status out;
    out.detail = impl_->detail;
    const auto is_listening = [](const auto& each) { return each != nullptr && each->is_listening(); };
    if (is_listening(impl_->debug)) { out.debug_address = impl_->debug->address().to_string(); }
    out.is_listening = is_listening(impl_->http);
    if (out.is_listening) { out.address = impl_->http->address().to_string(); }
    if (impl_->http != nullptr && !out.is_listening) { out.detail = "stopped, or this is a forked child"; }
    return out;
}

std::uint16_t server::port() const noexcept {
    const bool is_listening = impl_ != nullptr && impl_->http != nullptr && impl_->http->is_listening();
    return is_listening ? impl_->http->address().port : 0;
}

}  // namespace v1
}  // namespace memwatch
