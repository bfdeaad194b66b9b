// SPDX-License-Identifier: Apache-2.0
// The public face of libmemwatch-serve: joins the routes (serve/) with the process-wide session, the codec and the renderers.
// Compiled into libmemwatch-serve only, so that libmemwatch knows no HTTP.
//
// Everything here refers to the process-wide session through a default-made `session`, whose members work as long as anything
// was ever started; so a handler or a server may outlive the session it was made from.

#include <exception>
#include <memory>
#include <optional>
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
#include "report/json.hpp"
#include "report/text.hpp"
#include "report/view.hpp"
#include "runtime/process_status.hpp"
#include "runtime/server_settings.hpp"
#include "runtime/service_renderers.hpp"
#include "serve/config_page.hpp"
#include "serve/http_server.hpp"
#include "serve/listen_address.hpp"
#include "serve/routes.hpp"

namespace memwatch {
inline namespace v1 {

namespace {

// Kept snapshots belong to the process: what one server kept, a handler mounted elsewhere finds. Never destroyed.
const std::shared_ptr<serve::kept_snapshots>& kept_snapshots() {
    static const auto& it = *new std::shared_ptr<serve::kept_snapshots>(std::make_shared<serve::kept_snapshots>());
    return it;
}

void add_self_bytes(snapshot& s) { s.self_bytes.push_back({"kept_snapshots", kept_snapshots()->bytes()}); }

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
    if (out) { add_self_bytes(*out); }
    return out;
}

// As at the control socket, and the same commands; exported by libmemwatch for this.
result<std::string> control_session(const serve::control_request& wanted) {
    result<std::string> status = std::string();
    if (!wanted.action.empty()) { status = detail::control_process(wanted.action == "pause" ? "stop" : "resume"); }
    std::string set = "set";
    if (!wanted.interval.empty()) { set += " interval=" + wanted.interval; }
    if (!wanted.preset.empty()) { set += " preset=" + wanted.preset; }
    if (status && set != "set") { status = detail::control_process(set); }
    return status.map([](const std::string& lines) { return fields_to_json(lines); });
}

serve::service_view make_service_view(const serve_settings& settings, serve::exposure where) {
    serve::service_view out;
    out.freeze = &freeze;
    out.summarize = &summarize;
    out.name_functions = [](snapshot& s, std::size_t max_sites) { session{}.name_functions(s, max_sites); };
    fill_renderers(out);
    out.control = &control_session;
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

std::shared_ptr<serve::router> make_router(const serve_settings& settings, serve::exposure where) {
    serve::router_options how;
    how.access = {where, settings.token};
    how.debug_routes = settings.options.debug_routes;
    return std::make_shared<serve::router>(make_service_view(settings, where), how, kept_snapshots());
}

}  // namespace

// --- include/memwatch/serve/http_handler.hpp

http_handler_function http_handler(const session&) {
    return [router = make_router(merge_environment({}), serve::exposure::mounted)](const http_request& request) {
        return router->handle(request);
    };
}

// --- include/memwatch/serve/collectable.hpp

std::shared_ptr<prometheus::Collectable> collectable(const session&) {
    serve::metrics_options how;
    how.name_site = [](const snapshot& s, const site& of) { return site_name(s, of); };
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
void warn(const std::string& detail) {
    write_log(log_level::warning, "memwatch level=warning event=server detail=" + serve::quote_json(detail));
}

}  // namespace

class server::impl {
public:
    std::unique_ptr<serve::http_server> http;  // null when it could not start
    std::string detail;                        // why not, or what is amiss; empty = nothing

    void start(const serve_settings& settings) {
        detail = settings.problem;
        const result<serve::listen_address> where = serve::parse_listen_address(settings.options.listen);
        if (!where) {
            detail = where.error().message();
            return;
        }
        const auto exposure = where->is_loopback ? serve::exposure::loopback : serve::exposure::network;
        const auto router = make_router(settings, exposure);
        serve::http_limits limits;
        limits.on_thread = &detail::own_work::keep_for_thread;
        auto started = serve::http_server::start(
            *where, [router](const http_request& r) { return router->handle(r); }, limits);
        if (started) {
            http = std::move(*started);
        } else {
            detail = started.error().message();
        }
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
        static_cast<void>(started);
    } catch (...) {}  // no memory: no server
}

server server::start(const session&, server_options wanted) noexcept {
    server out;
    try {
        out.impl_ = std::make_unique<impl>();
        out.impl_->start(merge_environment(std::move(wanted)));
        if (!out.impl_->detail.empty()) { warn(out.impl_->detail); }
    } catch (const std::exception& e) {
        if (out.impl_ != nullptr) { out.impl_->detail = e.what(); }
    }
    return out;
}

void server::stop() noexcept {
    if (impl_ != nullptr && impl_->http != nullptr) { impl_->http->stop(); }
}

server_status server::status() const {
    if (impl_ == nullptr) { return {false, {}, "not started"}; }
    if (impl_->http == nullptr) { return {false, {}, impl_->detail}; }
    if (!impl_->http->is_listening()) { return {false, {}, "stopped, or this is a forked child"}; }
    return {true, impl_->http->address().to_string(), impl_->detail};
}

std::uint16_t server::port() const noexcept {
    const bool is_listening = impl_ != nullptr && impl_->http != nullptr && impl_->http->is_listening();
    return is_listening ? impl_->http->address().port : 0;
}

}  // namespace v1
}  // namespace memwatch
