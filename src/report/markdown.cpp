// SPDX-License-Identifier: Apache-2.0
#include "report/markdown.hpp"

#include <fmt/format.h>
#include <memwatch/base/units.hpp>

#include "report/context_share.hpp"
#include "report/findings.hpp"
#include "report/identity.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t rows_with_stack = 3;
constexpr std::size_t shown_frames = 6;

std::string quote(std::string_view name) { return code_span(name); }

std::string side_item(const delta& d, bool is_after) {
    const snapshot_info& info = is_after ? d.after : d.before;
    const delta_side& side = is_after ? d.total.after : d.total.before;
    const std::string build = build_words(d, info, is_after);
    const std::string untraced = untraced_words(side);
    return fmt::format("- {}: {} {} pid {} on {}, up {}, live {}{}{}{}{}\n", is_after ? "after" : "before", quote(info.label),
                       quote(info.service), info.pid, quote(info.host), format_duration(info.taken_ns),
                       format_estimate(side.live.bytes, side.live.bytes_standard_error()), build.empty() ? "" : ", ", build,
                       untraced.empty() ? "" : ", ", untraced);
}

std::string error_words(const delta_row& row) {
    return row.is_exact || row.bytes_standard_error <= 0 ? "exact" : format_bytes(row.bytes_standard_error);
}

std::string stack_block(const delta& d, const delta_row& row, std::size_t rank) {
    const std::vector<frame_words> frames = user_frames(row.stack, d.modules, shown_frames);
    if (frames.empty()) { return {}; }
    std::string text = fmt::format("\n{}. {}\n", rank, quote(row_title(d.by, row)));
    for (const frame_words& f : frames) {
        text += "   - " + quote(f.function) + (f.place.empty() ? "" : " " + quote(f.place)) + "\n";
    }
    if (row.stacks > 1) {
        const std::string callers = share_words(row, dimension::site, quote);
        text += fmt::format("   - reached by {} call paths{}{}\n", row.stacks, callers.empty() ? "" : ": ", callers);
    }
    if (const std::string score = rank_words(d, row); !score.empty()) { text += "   - score " + score + "\n"; }
    return text;
}

}  // namespace

std::string render_markdown(const delta& d, const metric_table* metrics) {
    std::string text = "### Memory: " + conclusion(d, quote) + "\n\n";
    for (const std::string& warning : d.warnings) { text += "> **Warning:** " + quote(warning) + "\n\n"; }
    text += side_item(d, false) + side_item(d, true);
    for (const std::string& words : {fingerprint_words(d), matching_words(d)}) {
        text += words.empty() ? words : "- " + words + "\n";
    }
    if (!d.rows.empty()) {
        text += fmt::format(
            "\n| # | {} | tag | type | bytes | +- | objects | rate | score | status | match | route |\n"
            "|--:|---|---|---|--:|--:|--:|--:|--:|---|---|---|\n",
            to_string(d.by));
    }
    std::size_t rank = 0;
    std::string stacks;
    for (const delta_row& row : d.rows) {
        ++rank;
        const std::string routes = share_words(row, dimension::route, quote);
        text +=
            fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", rank, quote(row_title(d.by, row)),
                        quote(row.tag), quote(elide(row.type, 64)), format_bytes_signed(row.bytes), error_words(row),
                        format_count_signed(row.objects), rate_words(row), score_words(row), status_words(row),
                        row.rung == match_rung::none ? "-" : to_string(row.rung), routes.empty() ? "-" : routes);
        if (rank <= rows_with_stack) { stacks += stack_block(d, row, rank); }
    }
    text += stacks;
    if (!d.moves.empty()) { text += "\nPerhaps moved (another build; proposed, in no sum):\n\n"; }
    for (const move_proposal& each : d.moves) { text += "- " + move_words(d, each, quote) + "\n"; }
    if (const std::string order = order_words(d); !order.empty()) { text += "\n" + order + "\n"; }
    if (d.hidden_rows != 0 && !d.rows.empty()) { text += fmt::format("\n{} more rows hidden.\n", d.hidden_rows); }
    if (metrics != nullptr) { text += render_markdown(*metrics); }
    return text;
}

}  // namespace v1
}  // namespace memwatch
