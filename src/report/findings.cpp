// SPDX-License-Identifier: Apache-2.0
#include "report/findings.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <memwatch/base/units.hpp>
#include <memwatch/model/site_name.hpp>

#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t kept_shares = 3;
constexpr std::size_t headline_width = 96;

const char* kind_words(dimension by) noexcept { return by == dimension::site ? "at" : "for"; }

// "src/cache.cpp:42" of the user's innermost line; "" when lines are unknown.
std::string place_of(const delta& d, const delta_row& row) {
    const std::vector<frame_words> frames = user_frames(row.stack, d.modules, 1);
    return frames.empty() ? std::string() : frames.front().place;
}

// "/api/v2/orders (99 %)": the route with most of the growth; "" when none is known.
std::string main_route_words(const delta_row& row, quote_function quote) {
    delta_row only;
    only.bytes = row.bytes;
    for (const delta_share& share : row.shares) {
        if (share.by == dimension::route && only.shares.empty()) { only.shares.push_back(share); }
    }
    return share_words(only, dimension::route, quote);
}

}  // namespace

namespace {

// The first row is not always the one that grew most: it may be the steadiest, or matter more.
const char* first_words(const delta& d) {
    if (is_ordered_by_bytes(d)) { return "Grew most"; }
    const double first = d.rows.front().rank_bytes();
    const bool is_steadiest =
        std::none_of(d.rows.begin(), d.rows.end(), [&](const delta_row& row) { return row.rank_bytes() > first; });
    return is_steadiest ? "Grew most steadily" : "Look first at";
}

}  // namespace

std::string row_title(dimension by, const delta_row& row) {
    if (row.name.empty()) { return by == dimension::site ? "(no stack)" : "(none)"; }
    return by == dimension::site ? elide(bare_function_name(row.name), headline_width) : elide(row.name, headline_width);
}

std::string confidence_words(const delta_row& row) {
    if (row.is_exact) { return "exact counter"; }
    if (row.bytes_standard_error <= 0) { return "every block recorded"; }
    if (!row.is_significant()) { return "within sampling error, take another snapshot later"; }
    return fmt::format("{:.1f} standard errors above noise", std::fabs(row.bytes) / row.bytes_standard_error);
}

std::string status_words(const delta_row& row) {
    return row.is_significant() || row.bytes == 0 ? to_string(row.what) : std::string(to_string(row.what)) + "?";
}

std::string score_words(const delta_row& row) { return row.rank.score == 0 ? "-" : fmt::format("{:.2f}", row.rank.score); }

std::string rank_words(const delta& d, const delta_row& row) {
    const rank_terms& rank = row.rank;
    if (rank.score == 0 || d.ranking.empty()) { return {}; }
    if (d.ranking == "own") { return fmt::format("{:.4g} by the caller's own ranking", rank.score); }
    const std::string age = d.long_lived_ns == 0 ? "unknown age" : "older than " + format_duration(d.long_lived_ns);
    const std::string part = rank.volatility < 0.5 ? fmt::format(", age and weight x {:.2f}", 2 * rank.volatility) : "";
    return fmt::format("{:.2f} = 0.40 x {:.2f} growth + 0.35 x {:.2f} {} + 0.25 x {:.2f} weight{}", rank.score, rank.volatility,
                       rank.long_lived, age, rank.weight, part);
}

std::string order_words(const delta& d) {
    if (is_ordered_by_bytes(d)) { return {}; }
    const std::string steady =
        "what grew through the whole time between counts in full, a burst a tenth, what noise explains nothing";
    if (d.ranking == "own") { return "ordered by the caller's own ranking"; }
    if (d.ranking == "steady") { return "ordered by steady growth: " + steady; }
    return "ordered by score (growth, age, weight of the tag): " + steady;
}

std::string ratio_words(const delta_row& row) {
    const double ratio = row.ratio();
    if (!std::isfinite(ratio) || row.what == change::appeared || row.what == change::gone) { return "-"; }
    return ratio < 10 ? fmt::format("x{:.2f}", ratio) : fmt::format("x{:.0f}", ratio);
}

std::string rate_words(const delta_row& row) {
    return row.rate_bytes_per_s == 0 ? "-" : format_bytes_signed(row.rate_bytes_per_s) + "/s";
}

std::string share_words(const delta_row& row, dimension by, quote_function quote) {
    std::vector<std::string> words;
    for (const delta_share& share : row.shares) {
        if (share.by != by || words.size() == kept_shares) { continue; }
        if (by == dimension::trace) {  // one request is seldom a share worth a number; its id is what leads to the logs
            if (share.trace.is_valid()) { words.push_back(to_string(share.trace)); }
            continue;
        }
        const std::string part = format_share(share.bytes, row.bytes);
        words.push_back(fmt::format("{} ({})", share.name.empty() ? "(none)" : quote(elide(share.name, headline_width)),
                                    part.empty() ? format_bytes_signed(share.bytes) : part));
    }
    return fmt::format("{}", fmt::join(words, ", "));
}

bool is_ordered_by_bytes(const delta& d) {
    return std::is_sorted(d.rows.begin(), d.rows.end(),
                          [](const delta_row& a, const delta_row& b) { return a.bytes > b.bytes; });
}

std::string conclusion(const delta& d, quote_function quote) {
    if (d.rows.empty()) {
        if (d.hidden_rows == 0) { return "No difference."; }
        return fmt::format("Nothing to show: {} row{} unchanged, below the threshold or out of focus.",
                           format_count(static_cast<double>(d.hidden_rows)), d.hidden_rows == 1 ? " is" : "s are");
    }
    const delta_row& worst = d.rows.front();
    if (worst.bytes <= 0) { return "Nothing grew."; }
    std::string words = fmt::format("{}: {}{} {} {}", first_words(d), format_bytes_signed(worst.bytes),
                                    worst.bytes_standard_error > 0 ? " +- " + format_bytes(worst.bytes_standard_error) : "",
                                    kind_words(d.by), quote(row_title(d.by, worst)));
    if (const std::string place = place_of(d, worst); !place.empty()) { words += " (" + quote(place) + ")"; }
    if (!worst.tag.empty()) { words += ", tag " + quote(worst.tag); }
    if (!worst.type.empty()) { words += ", type " + quote(elide(worst.type, headline_width)); }
    if (const std::string route = main_route_words(worst, quote); !route.empty()) { words += ", for route " + route; }
    if (worst.stacks > 1) { words += fmt::format(", by {} call paths", worst.stacks); }
    if (worst.rate_bytes_per_s != 0) { words += ", " + rate_words(worst); }
    return words + " (" + confidence_words(worst) + ").";
}

std::string build_words(const delta& d, const snapshot_info& info, bool is_after) {
    // `modules` are those of `after`, then what only `before` had: the same path twice means another build.
    const module* found = nullptr;
    for (const module& m : d.modules) {
        if (m.path != info.executable || m.build_id.empty()) { continue; }
        if (found == nullptr || !is_after) { found = &m; }
    }
    return found == nullptr ? std::string() : "build " + printable(found->build_id.substr(0, 12));
}

}  // namespace v1
}  // namespace memwatch
