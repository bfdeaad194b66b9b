// SPDX-License-Identifier: Apache-2.0
// The public face of libmemwatch-serve: joins the routes (serve/) with the process-wide session, the codec and the renderers.
// Compiled into libmemwatch-serve only, so that libmemwatch knows no HTTP.
//
// Everything here refers to the process-wide session through a default-made `session`, whose members work as long as anything
// was ever started; so a handler or a server may outlive the session it was made from.

#include <cstdlib>
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
#include <memwatch/options.hpp>
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
#include "runtime/service_renderers.hpp"
#include "serve/config_page.hpp"
#include "serve/http_server.hpp"
#include "serve/listen_address.hpp"
#include "serve/routes.hpp"

namespace memwatch {
inline namespace v1 {

namespace {

// Null for a set-user-id program: there the environment belongs to someone else.
const char* environment(const char* name) noexcept { return ::secure_getenv(name); }

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

// --- the options in force, as rows

std::string to_text(const std::string& value) { return value; }
std::string to_text(std::uint64_t value) { return std::to_string(value); }
std::string to_text(std::uint32_t value) { return std::to_string(value); }

std::string to_text(preset_option value) {
    switch (value) {
        case preset_option::off:
            return "off";
        case preset_option::on:
            return "on";
        case preset_option::full:
            break;
    }
    return "full";
}

std::string to_text(unwinder_option value) {
    switch (value) {
        case unwinder_option::automatic:
            return "auto";
        case unwinder_option::frame_pointer:
            return "fp";
        case unwinder_option::dwarf:
            break;
    }
    return "dwarf";
}

std::string to_text(control_option value) {
    switch (value) {
        case control_option::off:
            return "off";
        case control_option::automatic:
            return "automatic";
        case control_option::on:
            break;
    }
    return "on";
}

const char* unit_of(std::string_view type) {
    if (type == "bytes_option") { return "bytes"; }
    return type == "duration_option" ? "ns" : "";
}

bool is_number(std::string_view type) { return type == "bytes_option" || type == "duration_option" || type == "count_option"; }

template <class Value>
serve::config_row option_row(const char* type, const char* name, const Value& value, const Value& otherwise,
                             const char* variable, const char* help) {
    const bool is_set = environment(variable) != nullptr;
    return {name,          to_text(value), is_number(type),
            unit_of(type), variable,       is_set ? "environment" : (value == otherwise ? "default" : "code"),
            help};
}

std::vector<serve::config_row> session_rows() {
    const options now = session{}.effective_options();
    const options defaults;
    std::vector<serve::config_row> out;
#define MEMWATCH_OPTION(type, name, default_value, variable, help) \
    out.push_back(option_row(#type, #name, now.name, defaults.name, variable, help));
#include <memwatch/options.def>
#undef MEMWATCH_OPTION
    return out;
}

// --- what a server was started with

struct serve_settings {
    server_options options;
    std::string token;
    std::string token_error;  // why a configured token is not used; empty = none was, or it is
    const char* token_variable = "MEMWATCH_TOKEN";
};

// Environment over code, as for every option.
serve_settings merge_environment(server_options wanted) {
    serve_settings out;
    out.options = std::move(wanted);
    if (const char* const listen = environment("MEMWATCH_LISTEN")) { out.options.listen = listen; }
    if (const char* const debug = environment("MEMWATCH_DEBUG_ROUTES")) {
        out.options.debug_routes = std::string_view(debug) != "0";
    }
    result<std::string> token = std::string();
    if (const char* const text = environment("MEMWATCH_TOKEN")) {
        token = std::string(text);
        if (const auto formed = serve::check_token_form(*token); !formed) { token = tl::unexpected(formed.error()); }
    } else if (const char* const path = environment("MEMWATCH_TOKEN_FILE")) {
        out.token_variable = "MEMWATCH_TOKEN_FILE";
        token = serve::read_token_file(path);
    }
    if (token) {
        out.token = std::move(*token);
    } else {
        out.token_error = std::string(out.token_variable) + ": " + token.error().message();
    }
    return out;
}

std::vector<serve::config_row> server_rows(const serve_settings& settings, serve::exposure where) {
    const server_options defaults;
    const auto origin = [](const char* variable, bool is_default) {
        return environment(variable) != nullptr ? "environment" : (is_default ? "default" : "code");
    };
    std::vector<serve::config_row> out;
    if (where != serve::exposure::mounted) {
        out.push_back({"listen", settings.options.listen, false, "", "MEMWATCH_LISTEN",
                       origin("MEMWATCH_LISTEN", settings.options.listen == defaults.listen), "address of the HTTP server"});
    }
    out.push_back({"debug_routes", settings.options.debug_routes ? "1" : "0", true, "", "MEMWATCH_DEBUG_ROUTES",
                   origin("MEMWATCH_DEBUG_ROUTES", settings.options.debug_routes), "0 leaves /metrics and /healthz only"});
    out.push_back({"token", settings.token.empty() ? "not set" : "set (hidden)", false, "", settings.token_variable,
                   settings.token.empty() ? "default" : "environment",
                   "bearer token of POSTs, and of debug routes beyond loopback"});
    return out;
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
        std::vector<serve::config_row> rows = session_rows();
        for (serve::config_row& row : server_rows(settings, where)) { rows.push_back(std::move(row)); }
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
        detail = settings.token_error;
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
