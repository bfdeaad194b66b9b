// SPDX-License-Identifier: Apache-2.0
#include "report/identity.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

std::uint64_t count_of(const delta& d, match_rung rung) { return d.rungs[static_cast<std::size_t>(rung)]; }

std::string counted(std::uint64_t count, const char* what) { return format_count(static_cast<double>(count)) + " " + what; }

// "10:02:11" to "10:04:50" of one day reads as times, otherwise as dates.
std::string birth_words(const delta_side& side) {
    if (side.first_birth_unix_ns == 0) { return {}; }
    const std::string first = format_time(side.first_birth_unix_ns);
    const std::string last = format_time(side.last_birth_unix_ns);
    return first == last ? first : first + " to " + last;
}

}  // namespace

std::string matching_words(const delta& d) {
    if (d.by != dimension::site || std::all_of(d.rungs.begin(), d.rungs.end(), [](auto n) { return n == 0; })) { return {}; }
    std::string words = "sites matched: " + counted(count_of(d, match_rung::exact), "exact");
    const auto frames = count_of(d, match_rung::frames);
    const auto function = count_of(d, match_rung::function);
    if (frames != 0) { words += ", " + counted(frames, "by frames"); }
    if (function != 0) { words += ", " + counted(function, "by function"); }
    if (count_of(d, match_rung::none) != 0) { words += "; " + counted(count_of(d, match_rung::none), "in one snapshot only"); }
    if (!d.moves.empty()) { words += ", " + counted(d.moves.size(), "perhaps moved"); }
    return words;
}

std::string fingerprint_words(const delta& d) {
    if (d.before_fingerprint == fingerprint{} && d.after_fingerprint == fingerprint{}) { return {}; }  // a delta made by hand
    if (d.before_fingerprint != d.after_fingerprint) {
        return "fingerprint " + d.before_fingerprint.hex() + " -> " + d.after_fingerprint.hex();
    }
    return "same fingerprint " + d.after_fingerprint.hex() + ": nothing changed by site, type, tag or pool";
}

std::string match_words(const delta& d, const delta_row& row) {
    if (d.by != dimension::site || row.rung == match_rung::none || row.rung == match_rung::exact) { return {}; }
    std::string words = row.rung == match_rung::frames ? "by frames (another build, same functions and lines in them)"
                                                       : "by function (another build, other lines in it)";
    if (row.before.sites > 1 || row.after.sites > 1) {
        words +=
            fmt::format(", {} site{} before, {} after", row.before.sites, row.before.sites == 1 ? "" : "s", row.after.sites);
    }
    return words;
}

std::string survival_words(const delta& d, const delta_row& row) {
    std::vector<std::string> parts;
    if (row.survivors_bytes > 0) { parts.push_back(format_bytes(row.survivors_bytes) + " born in between"); }
    if (row.survived_bytes > 0) { parts.push_back(format_bytes(row.survived_bytes) + " survived"); }
    if (row.freed_bytes > 0) { parts.push_back(format_bytes(row.freed_bytes) + " freed"); }
    if (row.after.oldest_age_ns != 0) { parts.push_back("oldest block " + format_duration(row.after.oldest_age_ns)); }
    if (d.before.session != d.after.session) {
        const std::string before = birth_words(row.before);
        const std::string after = birth_words(row.after);
        if (!before.empty()) { parts.push_back("before: born " + before); }
        if (!after.empty()) { parts.push_back("after: born " + after); }
    }
    return fmt::format("{}", fmt::join(parts, ", "));
}

std::string move_words(const delta& d, const move_proposal& move, quote_function quote) {
    if (move.gone >= d.rows.size() || move.appeared >= d.rows.size()) { return {}; }
    return fmt::format("#{} {} -> #{} {}: {}", move.gone + 1, quote(row_title(d.by, d.rows[move.gone])), move.appeared + 1,
                       quote(row_title(d.by, d.rows[move.appeared])), quote(move.why));
}

}  // namespace v1
}  // namespace memwatch
