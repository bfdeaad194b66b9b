// SPDX-License-Identifier: Apache-2.0
#include "runtime/option_reader.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include <memwatch/base/units.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

// One overload a type of options.def; the tag tells apart types that are the same integer.
result<void> read(std::string_view text, std::string& into) {
    into = text;
    return {};
}

result<void> read_bytes(std::string_view text, std::uint64_t& into) {
    return parse_bytes(text).map([&](std::uint64_t value) { into = value; });
}

result<void> read_duration(std::string_view text, std::uint64_t& into) {
    return parse_duration(text).map([&](std::uint64_t value) { into = value; });
}

result<void> read_count(std::string_view text, std::uint32_t& into) {
    std::uint32_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
        return fail(error_code::invalid_argument, "not a whole number", std::string(text));
    }
    into = value;
    return {};
}

template <class Value>
struct choice {
    std::string_view text;
    Value value;
};

template <class Value, std::size_t Count>
result<void> read_choice(std::string_view text, Value& into, const choice<Value> (&choices)[Count]) {
    std::string known;
    for (const auto& c : choices) {
        if (c.text == text) {
            into = c.value;
            return {};
        }
        known += (known.empty() ? "" : ", ") + std::string(c.text);
    }
    return fail(error_code::invalid_argument, "not one of " + known, std::string(text));
}

constexpr choice<preset_option> presets[] = {
    {"off", preset_option::off}, {"on", preset_option::on}, {"full", preset_option::full}};
constexpr choice<unwinder_option> unwinders[] = {
    {"auto", unwinder_option::automatic}, {"fp", unwinder_option::frame_pointer}, {"dwarf", unwinder_option::dwarf}};
constexpr choice<control_option> controls[] = {
    {"off", control_option::off}, {"automatic", control_option::automatic}, {"on", control_option::on}};

// Dispatch by the type's name in options.def: bytes_option and duration_option are both std::uint64_t.
template <class Value>
result<void> read_as(std::string_view type, std::string_view text, Value& into) {
    if constexpr (std::is_same_v<Value, std::string>) { return read(text, into); }
    if constexpr (std::is_same_v<Value, std::uint64_t>) {
        return type == "bytes_option" ? read_bytes(text, into) : read_duration(text, into);
    }
    if constexpr (std::is_same_v<Value, std::uint32_t>) { return read_count(text, into); }
    if constexpr (std::is_same_v<Value, preset_option>) { return read_choice(text, into, presets); }
    if constexpr (std::is_same_v<Value, unwinder_option>) { return read_choice(text, into, unwinders); }
    if constexpr (std::is_same_v<Value, control_option>) { return read_choice(text, into, controls); }
}

// Read by other parts of memwatch (serve/), and so not unknown.
constexpr std::string_view names_read_elsewhere[] = {"MEMWATCH_LISTEN", "MEMWATCH_DEBUG_ROUTES", "MEMWATCH_TOKEN",
                                                     "MEMWATCH_TOKEN_FILE", "MEMWATCH_PRELOAD_LIBRARY"};

bool read_variable(std::string_view name, std::string_view text, options& into, std::vector<std::string>& warnings) {
#define MEMWATCH_OPTION(type, member, default_value, environment, help)                                \
    if (name == environment) {                                                                         \
        if (auto done = read_as(#type, text, into.member); !done) {                                    \
            warnings.push_back(fmt::format("{} is ignored: {}", environment, done.error().message())); \
        }                                                                                              \
        return true;                                                                                   \
    }
#include <memwatch/options.def>
#undef MEMWATCH_OPTION
    for (const std::string_view other : names_read_elsewhere) {
        if (name == other) { return true; }
    }
    return false;
}

template <class Value>
void check(Value& value, Value least, Value most, Value fallback, const char* name, std::vector<std::string>& warnings) {
    if (value >= least && value <= most) { return; }
    warnings.push_back(fmt::format("{} = {} is out of range {} .. {}; {} is used", name, value, least, most, fallback));
    value = fallback;
}

}  // namespace

void read_environment(const char* const* environment, options& into, std::vector<std::string>& warnings) {
    for (const char* const* at = environment; at != nullptr && *at != nullptr; ++at) {
        const std::string_view entry(*at);
        const std::size_t equals = entry.find('=');
        if (entry.substr(0, 9) != "MEMWATCH_" || equals == std::string_view::npos) { continue; }
        const std::string_view name = entry.substr(0, equals);
        if (!read_variable(name, entry.substr(equals + 1), into, warnings)) {
            warnings.push_back(fmt::format("{} is not an option of memwatch", name));
        }
    }
}

result<preset_option> parse_preset(std::string_view text) {
    preset_option out{};
    if (auto read = read_choice(text, out, presets); !read) { return tl::unexpected<error>(read.error()); }
    return out;
}

const char* to_string(preset_option preset) noexcept {
    for (const auto& each : presets) {
        if (each.value == preset) { return each.text.data(); }
    }
    return "";
}

void check_ranges(options& wanted, std::vector<std::string>& warnings) {
    const options defaults;
    constexpr std::uint64_t mib = 1ULL << 20U;
    check<std::uint64_t>(wanted.interval_bytes, 1, mib << 20U, defaults.interval_bytes, "interval_bytes", warnings);
    check<std::uint64_t>(wanted.interval_cap_bytes, 1, mib << 20U, defaults.interval_cap_bytes, "interval_cap_bytes", warnings);
    check<std::uint32_t>(wanted.target_overhead_permille, 0, 1000, defaults.target_overhead_permille,
                         "target_overhead_permille", warnings);
    check<std::uint64_t>(wanted.budget_bytes, 2 * mib, mib << 16U, defaults.budget_bytes, "budget_bytes", warnings);
    check<std::uint64_t>(wanted.full_budget_bytes, 4 * mib, mib << 16U, defaults.full_budget_bytes, "full_budget_bytes",
                         warnings);
    check<std::uint64_t>(wanted.epoch_ns, 10'000'000, 3'600'000'000'000, defaults.epoch_ns, "epoch_ns", warnings);
    check<std::uint32_t>(wanted.stack_depth, 1, 64, defaults.stack_depth, "stack_depth", warnings);
}

}  // namespace v1
}  // namespace memwatch
