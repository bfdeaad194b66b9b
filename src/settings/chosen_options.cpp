// SPDX-License-Identifier: Apache-2.0
#include "settings/chosen_options.hpp"

#include <type_traits>
#include <utility>

#include "settings/option_text.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// Calls visit(option_id, member of `from`) for the option `id`.
template <class Options, class Visit>
void visit_option(Options& from, option_id id, Visit visit) {
    switch (id) {
#define MEMWATCH_OPTION(type, member, default_value, environment, changes, least, most, unit, help) \
    case option_id::member:                                                                         \
        return visit(from.member);
#include <memwatch/options.def>
        case option_id::count_:
            return;
    }
}

template <class Visit>
void visit_ids(Visit visit) {
    for (std::size_t i = 0; i < option_count; ++i) { visit(static_cast<option_id>(i)); }
}

result<void> read_into(options& into, option_id id, std::string_view text) {
    result<void> out;
    visit_option(into, id, [&](auto& value) { out = read_option(describe(id), text, value); });
    return out;
}

template <class Value>
bool is_in_range(const option_description& option, const Value& value) {
    if constexpr (std::is_integral_v<Value> && !std::is_same_v<Value, bool>) {
        return !option.has_range() || (value >= option.least && value <= option.most);
    } else if constexpr (std::is_same_v<Value, std::string>) {
        return option.kind != option_kind::weights || parse_tag_weights(value).has_value();
    }
    return true;
}

void check_range(chosen_options& wanted, option_id id, std::vector<std::string>& warnings) {
    const option_description& option = describe(id);
    bool is_fine = true;
    visit_option(wanted, id, [&](const auto& value) { is_fine = is_in_range(option, value); });
    if (is_fine) { return; }
    const std::string refused = option_text(wanted, id);
    static_cast<void>(read_into(wanted, id, option.default_text()));  // defaults are in range: options_test.cpp
    if (option.kind == option_kind::weights) {
        const error why = parse_tag_weights(refused).error();
        warnings.push_back(std::string(option.member) + " is ignored: " + why.message());
        return;
    }
    warnings.push_back(std::string(option.member) + " = " + refused + " is out of range " + option.values() + "; " +
                       option.default_text() + " is used");
}

std::optional<option_id> find_variable(std::string_view environment) noexcept {
    std::optional<option_id> found;
    visit_ids([&](option_id id) {
        if (describe(id).environment == environment) { found = id; }
    });
    return found;
}

std::string unknown_variable(std::string_view name) {
    const std::string_view near = nearest_variable(name);
    const std::string hint = near.empty() ? std::string() : "; " + std::string(near) + " is one";
    return std::string(name) + " is not an option of memwatch" + hint;
}

}  // namespace

const char* to_string(option_origin origin) noexcept {
    constexpr const char* names[] = {"default", "code", "environment", "runtime", "cgroup"};
    return names[static_cast<std::size_t>(origin)];
}

std::string to_string(preset_option preset) { return write_option(option_kind::word, preset); }

chosen_options choose_options(options wanted, std::vector<std::string>& warnings) {
    chosen_options out;
    static_cast<options&>(out) = std::move(wanted);
    const options defaults;
    visit_ids([&](option_id id) {
        check_range(out, id, warnings);
        if (option_text(out, id) != option_text(defaults, id)) { out.set_origin(id, option_origin::code); }
    });
    return out;
}

void overlay_environment(const char* const* environment, chosen_options& into, std::vector<std::string>& warnings) {
    for (const char* const* at = environment; at != nullptr && *at != nullptr; ++at) {
        const std::string_view entry(*at);
        const std::size_t equals = entry.find('=');
        if (entry.substr(0, 9) != "MEMWATCH_" || equals == std::string_view::npos) { continue; }
        const std::string_view name = entry.substr(0, equals);
        const std::optional<option_id> id = find_variable(name);
        if (!id) {
            if (!is_known_variable(name)) { warnings.push_back(unknown_variable(name)); }
            continue;
        }
        if (const auto done = read_into(into, *id, entry.substr(equals + 1)); !done) {
            warnings.push_back(std::string(name) + " is ignored: " + done.error().message());
        } else {
            into.set_origin(*id, option_origin::environment);
        }
    }
}

result<void> change_option(chosen_options& into, std::string_view name, std::string_view text) {
    const std::optional<option_id> id = find_option(name);
    if (!id) {
        return fail(error_code::invalid_argument, "is not an option; 'memwatch options' lists them", std::string(name));
    }
    if (describe(*id).change == option_change::start) {
        return fail(error_code::invalid_argument, "is fixed when the session starts", std::string(name));
    }
    if (const auto done = read_into(into, *id, text); !done) {
        return fail(done.error().code, done.error().message(), std::string(name));
    }
    into.set_origin(*id, option_origin::runtime);
    return {};
}

std::string option_text(const options& from, option_id id) {
    std::string out;
    visit_option(from, id, [&](const auto& value) { out = write_option(describe(id).kind, value); });
    return out;
}

std::string option_number(const options& from, option_id id) {
    std::string out;
    visit_option(from, id, [&](const auto& value) { out = write_option(option_kind::count, value); });
    return out;
}

}  // namespace v1
}  // namespace memwatch
