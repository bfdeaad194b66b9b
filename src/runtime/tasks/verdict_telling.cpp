// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/verdict_telling.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include <memwatch/base/log.hpp>
#include <memwatch/model/site_name.hpp>
#include "blackbox/event.hpp"
#include "runtime/freeze_process.hpp"
#include "runtime/process_state.hpp"
#include "runtime/process_status.hpp"
#include "verdict/sentence.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// A log is no table: the rest is counted, and in every snapshot.
constexpr std::size_t most_lines = 8;
constexpr std::size_t most_named_sites = 32;
// Blocks beyond which it is not worth freezing them all to say for which route most of a site's were.
constexpr std::size_t most_records = 200'000;

// U+0080 .. U+009F in UTF-8: what terminals take for the start of a command, too.
bool is_control(unsigned char before, unsigned char c) noexcept {
    return c < 0x20 || c == 0x7F || (before == 0xC2 && c >= 0x80 && c < 0xA0);
}

// A value in quotes on one line, whatever a name holds.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    char before = 0;
    for (const char c : text) {
        const bool is_plain = !is_control(static_cast<unsigned char>(before), static_cast<unsigned char>(c));
        out += c == '"' ? '\'' : is_plain ? c : '?';
        before = c;
    }
    return out + '"';
}

void append_site(std::string& line, const verdict& of, const snapshot& in) {
    const site& where = in.sites[of.index];
    line += fmt::format(" site={} function={}", site_key(in, where), quoted(site_name(in, where)));
    if (where.tag != 0) { line += " tag=" + quoted(in.tags[where.tag].name); }
    if (const retained_for whom = retained_for_whom(of, in); !whom.route.empty()) { line += " route=" + quoted(whom.route); }
}

bool matters_more(const verdict_change& a, const verdict_change& b) noexcept {
    if (level_of(a.now.kind) != level_of(b.now.kind)) { return level_of(a.now.kind) > level_of(b.now.kind); }
    return a.now.retained_bytes > b.now.retained_bytes;
}

log_level level_of_line(const verdict& of) noexcept {
    return level_of(of.kind) == verdict_level::leak ? log_level::warning : log_level::info;
}

std::vector<std::uint32_t> first_sites(const std::vector<verdict_change>& changes) {
    std::vector<std::uint32_t> sites;
    for (const verdict_change& each : changes) {
        if (each.now.subject == verdict_subject::site && sites.size() < most_named_sites) { sites.push_back(each.now.index); }
    }
    return sites;
}

live_state::detail detail_for(const process_state& state) noexcept {
    // acquire: pairs with the release in build_live().
    const live_state* const live = state.live.load(std::memory_order_acquire);
    const bool is_small = live != nullptr && live->most_records() <= most_records;
    return is_small ? live_state::detail::records : live_state::detail::summary;
}

void tell(process_state& state, const verdict_change& change, const snapshot& in) {
    const std::string line = verdict_line(change, in);
    write_log(level_of_line(change.now), line);
    state.recorder.note(blackbox::event_names::verdict, line.substr(line.find("class=")));
}

}  // namespace

bool move_to_row(verdict& of, const snapshot& in, std::uint32_t first_site, const std::vector<std::uint32_t>& pools) noexcept {
    if (of.subject == verdict_subject::site) {
        if (of.index < first_site || of.index - first_site >= in.sites.size()) { return false; }
        of.index -= first_site;
        return true;
    }
    const auto at = std::find(pools.begin(), pools.end(), of.index);
    of.index = static_cast<std::uint32_t>(at - pools.begin());
    return of.index < in.pools.size();
}

std::string verdict_line(const verdict_change& change, const snapshot& in) {
    const verdict& now = change.now;
    const char* const level = level_of_line(now) == log_level::warning ? "warning" : "info";
    std::string line =
        fmt::format("memwatch level={} event=verdict class={} was={}", level, word_of(now.kind), word_of(change.before));
    if (now.severity != verdict_severity::none) { line += fmt::format(" severity={}", word_of(now.severity)); }
    if (now.subject == verdict_subject::site) {
        append_site(line, now, in);
    } else {
        line += " pool=" + quoted(in.pools[now.index].name);
    }
    line += fmt::format(" bytes={:.0f} rate_bytes_per_s={:.0f}", now.retained_bytes, now.rate_bytes_per_second);
    return line + " detail=" + quoted(sentence(now, in));
}

void tell_verdicts(process_state& state, std::vector<verdict_change> changes, const judged_pools& pools,
                   const verdict_listener& listener) {
    result<frozen_process> frozen = freeze_process({}, detail_for(state));
    if (!frozen) { return; }
    snapshot& seen = frozen->value;
    const std::vector<std::uint32_t> numbers = pools.numbers_of(frozen->pool_names);
    const auto is_gone = [&](verdict_change& each) { return !move_to_row(each.now, seen, frozen->first_site, numbers); };
    changes.erase(std::remove_if(changes.begin(), changes.end(), is_gone), changes.end());
    std::sort(changes.begin(), changes.end(), matters_more);
    name_functions_of(seen, first_sites(changes));
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (i < most_lines) { tell(state, changes[i], seen); }
        state.remedies.note(changes[i].now, seen);
        if (listener.function != nullptr) { listener.function(changes[i].now, seen, listener.context); }
    }
    if (changes.size() > most_lines) {
        write_log(log_level::info, fmt::format("memwatch level=info event=verdicts more={}", changes.size() - most_lines));
    }
}

}  // namespace v1
}  // namespace memwatch
