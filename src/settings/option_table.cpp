// SPDX-License-Identifier: Apache-2.0
#include "settings/option_table.hpp"

#include <algorithm>
#include <vector>

#include "settings/option_text.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::string_view prefix = "MEMWATCH_";
constexpr std::size_t most_edits = 2;

// By the type's name in the table: bytes_option and duration_option are the same integer.
constexpr option_kind kind_of(std::string_view type) noexcept {
    if (type == "std::string") { return option_kind::text; }
    if (type == "weights_option") { return option_kind::weights; }
    if (type == "flag_option") { return option_kind::flag; }
    if (type == "bytes_option") { return option_kind::bytes; }
    if (type == "duration_option") { return option_kind::duration; }
    return type == "count_option" ? option_kind::count : option_kind::word;
}

std::string nothing() { return {}; }

#define MEMWATCH_DESCRIBE(type, member, default_value, environment, changes, least, most, unit, help) \
    {#member,                                                                                         \
     environment,                                                                                     \
     kind_of(#type),                                                                                  \
     option_change::changes,                                                                          \
     least,                                                                                           \
     most,                                                                                            \
     unit,                                                                                            \
     help,                                                                                            \
     [] {                                                                                             \
         const type value = default_value;                                                            \
         return write_option(kind_of(#type), value);                                                  \
     },                                                                                               \
     &list_words<type>},

constexpr option_description session_table[] = {
#define MEMWATCH_OPTION MEMWATCH_DESCRIBE
#include <memwatch/options.def>
};
static_assert(std::size(session_table) == option_count);

constexpr option_description server_table[] = {
#define MEMWATCH_SERVER_OPTION MEMWATCH_DESCRIBE
#define MEMWATCH_SERVER_SECRET(member, environment, help) \
    {#member, environment, option_kind::secret, option_change::start, 0, 0, "", help, &nothing, &nothing},
#include <memwatch/server_options.def>
};

#undef MEMWATCH_DESCRIBE

constexpr variable_description variable_table[] = {
#define MEMWATCH_VARIABLE(environment, help) {environment, help},
#include <memwatch/options.def>
};

template <class Visit>
void visit_variables(Visit visit) {
    for (const option_description& each : session_table) { visit(each.environment); }
    for (const option_description& each : server_table) { visit(each.environment); }
    for (const variable_description& each : variable_table) { visit(each.environment); }
}

// Levenshtein's, row by row.
std::size_t edits_between(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) { row[j] = j; }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t exchanged = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({exchanged, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

}  // namespace

std::string option_description::name() const {
    std::string out(environment.substr(prefix.size()));
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') { c = static_cast<char>(c - 'A' + 'a'); }
    }
    return out;
}

std::string option_description::values() const {
    if (kind == option_kind::flag) { return "1, 0"; }
    return has_range() ? write_number(kind, least) + " .. " + write_number(kind, most) : words();
}

std::span<const option_description> session_option_table() noexcept { return session_table; }
std::span<const option_description> server_option_table() noexcept { return server_table; }
std::span<const variable_description> command_variable_table() noexcept { return variable_table; }

const option_description& describe(option_id id) noexcept { return session_table[static_cast<std::size_t>(id)]; }

std::optional<option_id> find_option(std::string_view name) noexcept {
    for (std::size_t i = 0; i < option_count; ++i) {
        const std::string_view known = session_table[i].environment.substr(prefix.size());
        const bool is_it = std::equal(known.begin(), known.end(), name.begin(), name.end(), [](char upper, char given) {
            return given == (upper >= 'A' && upper <= 'Z' ? static_cast<char>(upper - 'A' + 'a') : upper);
        });
        if (is_it) { return static_cast<option_id>(i); }
    }
    return std::nullopt;
}

bool is_known_variable(std::string_view environment) noexcept {
    bool is_known = false;
    visit_variables([&](std::string_view each) { is_known = is_known || each == environment; });
    return is_known;
}

std::string_view nearest_variable(std::string_view environment) {
    constexpr std::size_t longest = 64;  // the work is the product of both lengths
    std::string_view nearest;
    std::size_t fewest = most_edits + 1;
    if (environment.size() > longest) { return nearest; }
    visit_variables([&](std::string_view each) {
        const std::size_t edits = edits_between(environment, each);
        if (edits >= fewest) { return; }
        fewest = edits;
        nearest = each;
    });
    return nearest;
}

}  // namespace v1
}  // namespace memwatch
