// SPDX-License-Identifier: Apache-2.0
#include "runtime/server_settings.hpp"
#include "model/redaction.hpp"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "model/redaction.hpp"
#include "runtime/process_status.hpp"
#include "settings/option_text.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// Null for a set-user-id program: there the environment belongs to someone else.
const char* environment(std::string_view name) noexcept { return ::secure_getenv(std::string(name).c_str()); }

void add_problem(serve_settings& to, const std::string& problem) { to.problem += (to.problem.empty() ? "" : "; ") + problem; }

template <class Value>
void merge(serve_settings& into, server_option_id id, Value& value, const Value& otherwise) {
    const option_description& option = server_option_table()[static_cast<std::size_t>(id)];
    option_origin& origin = into.origins[static_cast<std::size_t>(id)];
    origin = value == otherwise ? option_origin::standard : option_origin::code;
    const char* const text = environment(option.environment);
    if (text == nullptr) { return; }
    if (const auto done = read_option(option, text, value); !done) {
        add_problem(into, std::string(option.environment) + " is ignored: " + done.error().message());
    } else {
        origin = option_origin::environment;
    }
}

// The variable wins over the file.
void read_token(serve_settings& into) {
    result<std::string> token = std::string();
    if (const char* const text = environment("MEMWATCH_TOKEN")) {
        token = std::string(text);
        if (const auto formed = serve::check_token_form(*token); !formed) { token = tl::unexpected(formed.error()); }
    } else if (const char* const path = environment("MEMWATCH_TOKEN_FILE")) {
        into.token_variable = "MEMWATCH_TOKEN_FILE";
        token = serve::read_token_file(path);
    }
    if (token) {
        into.token = std::move(*token);
    } else {
        add_problem(into, std::string(into.token_variable) + ": " + token.error().message());
    }
}

bool is_number(option_kind kind) noexcept {
    return kind == option_kind::bytes || kind == option_kind::duration || kind == option_kind::count ||
           kind == option_kind::flag;
}

serve::config_row row_of(const option_description& option, std::string value, option_origin origin) {
    serve::config_row row;
    row.name = option.name();
    row.value = std::move(value);
    row.is_number = is_number(option.kind);
    row.unit = option.unit;
    row.environment = option.environment;
    row.origin = to_string(origin);
    row.help = option.help;
    row.values = option.values();
    row.changes = option.change == option_change::runtime ? "runtime" : "start";
    return row;
}

// One row for both ways to give it.
serve::config_row token_row(const serve_settings& settings) {
    const auto table = server_option_table();
    for (const option_description& option : table) {
        if (option.environment != settings.token_variable) { continue; }
        serve::config_row row = row_of(option, settings.token.empty() ? "not set" : "set (hidden)",
                                       settings.token.empty() ? option_origin::standard : option_origin::environment);
        row.name = "token";
        return row;
    }
    return {};
}

}  // namespace

serve_settings merge_environment(server_options wanted) {
    serve_settings out;
    out.options = std::move(wanted);
    const server_options defaults;
#define MEMWATCH_SERVER_OPTION(type, member, default_value, environment, changes, least, most, unit, help) \
    merge(out, server_option_id::member, out.options.member, defaults.member);
#include <memwatch/server_options.def>
    read_token(out);
    return out;
}

std::vector<serve::config_row> config_rows(const serve_settings& settings, serve::exposure where) {
    std::vector<serve::config_row> out;
    const chosen_options now = detail::process_options();
    const std::vector<std::string> secret = redaction_words(now.redact);
    for (std::size_t i = 0; i < option_count; ++i) {
        const auto id = static_cast<option_id>(i);
        out.push_back(row_of(describe(id), redacted(option_number(now, id), secret), now.origin(id)));
    }
    const auto add = [&](server_option_id id, std::string value) {
        const bool is_address = id == server_option_id::listen || id == server_option_id::debug_listen;
        if (is_address && where == serve::exposure::mounted) { return; }
        const auto i = static_cast<std::size_t>(id);
        out.push_back(row_of(server_option_table()[i], redacted(std::move(value), secret), settings.origins[i]));
    };
#define MEMWATCH_SERVER_OPTION(type, member, default_value, environment, changes, least, most, unit, help) \
    add(server_option_id::member, write_option(option_kind::count, settings.options.member));
#include <memwatch/server_options.def>
    out.push_back(token_row(settings));
    return out;
}

}  // namespace v1
}  // namespace memwatch
