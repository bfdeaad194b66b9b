// SPDX-License-Identifier: Apache-2.0
#include "report/view.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <numeric>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>
#include <memwatch/model/site_name.hpp>

#include "report/evidence.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t shown_stack_lines = 12;

// A row before paging: its cells, and the index it has in the table it came from (for details filled in later).
struct draft {
    std::vector<view_cell> cells;
    std::uint32_t source{};
};

struct view_spec {
    view_kind kind;
    const char* plural;
    const char* singular;
    const char* default_sort;
    std::vector<view_column> columns;
    std::vector<draft> (*make_rows)(const snapshot&);
    void (*add_details)(const snapshot&, std::vector<draft>& page);  // null = none
};

view_cell text_or_unknown(std::string text) { return text.empty() ? view_cell{} : view_cell{std::move(text)}; }
view_cell bytes_of(const sampled_totals& t) { return estimate{t.bytes, t.bytes_standard_error()}; }
view_cell objects_of(const sampled_totals& t) { return estimate{t.objects, t.objects_standard_error()}; }

std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = 0xCBF29CE484222325ULL) noexcept {
    for (const char c : text) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL; }
    return hash;
}

// Sums over live records grouped by something; unused groups are left out of the rows.
struct group {
    sampled_totals live;
    std::uint64_t oldest_age_ns{};
    std::uint32_t route{};  // of its largest block
    std::uint64_t largest_block{};

    void add(const snapshot& s, const live_record& r) {
        live.add(r.size_bytes, r.interval_bytes);
        oldest_age_ns = std::max(oldest_age_ns, age_ns(s, r));
        if (r.size_bytes > largest_block) {
            largest_block = r.size_bytes;
            route = r.route;
        }
    }
};

// No record, or none that says when it was born, has no age.
view_cell age_of(std::uint64_t oldest_ns) { return oldest_ns == 0 ? view_cell{} : view_cell{oldest_ns}; }

void append_group(std::vector<view_cell>& cells, const group& g) {
    cells.insert(cells.end(), {bytes_of(g.live), objects_of(g.live), g.live.samples, age_of(g.oldest_age_ns)});
}

std::vector<frame> frames_of(const snapshot& s, const site& where) {
    std::vector<frame> frames;
    for (const std::uint32_t index : s.stacks[where.stack].frames) { frames.push_back(s.frames[index]); }
    return frames;
}

std::vector<draft> site_rows(const snapshot& s) {
    const std::vector<std::uint64_t> ages = oldest_ages(s);
    std::vector<draft> rows;
    for (std::uint32_t i = 0; i < s.sites.size(); ++i) {
        const site& where = s.sites[i];
        if (where.allocated.samples == 0 && where.live.samples == 0) {
            continue;
        }  // a reserved row, nothing was ever seen there
        rows.push_back({{site_key(s, where), site_name(s, where), text_or_unknown(where.type), s.tags[where.tag].name,
                         bytes_of(where.live), objects_of(where.live), where.live.samples, age_of(ages[i]),
                         bytes_of(where.allocated), bytes_of(where.freed), bytes_of(where.freed_by_other_thread)},
                        i});
    }
    return rows;
}

std::vector<std::string> stack_lines(const snapshot& s, const site& where) {
    std::vector<std::string> lines;
    for (const frame_words& f : user_frames(frames_of(s, where), s.modules, shown_stack_lines)) {
        lines.push_back(f.place.empty() ? f.function : f.function + " " + f.place);
    }
    return lines;
}

// The class of what was judged of each row of a table; unknown where nothing was.
std::vector<view_cell> verdict_cells(const snapshot& s, verdict_subject subject, std::size_t rows) {
    std::vector<view_cell> cells(rows);
    for (const verdict& each : s.verdicts) {
        if (each.subject == subject) { cells[each.index] = std::string(word_of(each.kind)); }
    }
    return cells;
}

void add_site_details(const snapshot& s, std::vector<draft>& page) {
    std::vector<std::uint32_t> sites;
    for (const draft& row : page) { sites.push_back(row.source); }
    const std::vector<site_evidence> evidence = gather_evidence(s, sites);
    const std::vector<view_cell> verdicts = verdict_cells(s, verdict_subject::site, s.sites.size());
    for (std::size_t i = 0; i < page.size(); ++i) {
        std::vector<std::string> routes, traces;
        for (const auto& [route, bytes] : evidence[i].routes) {
            if (!s.routes[route].empty()) { routes.push_back(s.routes[route]); }
        }
        for (const trace_id trace : evidence[i].traces) { traces.push_back(to_string(trace)); }
        page[i].cells.insert(page[i].cells.end(),
                             {routes.empty() ? view_cell{} : view_cell{routes.front()}, std::move(routes), std::move(traces),
                              stack_lines(s, s.sites[page[i].source]), verdicts[page[i].source]});
    }
}

std::vector<draft> type_rows(const snapshot& s) {
    std::unordered_map<std::string_view, std::uint32_t> index_of;
    std::vector<std::string_view> names;
    std::vector<group> groups;
    std::vector<std::uint64_t> site_counts;
    const std::vector<std::uint64_t> ages = oldest_ages(s);
    for (std::size_t i = 0; i < s.sites.size(); ++i) {
        const auto [entry, is_new] = index_of.try_emplace(s.sites[i].type, static_cast<std::uint32_t>(names.size()));
        if (is_new) {
            names.push_back(s.sites[i].type);
            groups.emplace_back();
            site_counts.push_back(0);
        }
        groups[entry->second].live.add(s.sites[i].live);
        groups[entry->second].oldest_age_ns = std::max(groups[entry->second].oldest_age_ns, ages[i]);
        ++site_counts[entry->second];
    }
    std::vector<draft> rows;
    for (std::uint32_t i = 0; i < groups.size(); ++i) {
        const group& g = groups[i];
        rows.push_back({{text_or_unknown(std::string(names[i])), bytes_of(g.live), objects_of(g.live), g.live.samples,
                         site_counts[i], age_of(g.oldest_age_ns)},
                        i});
    }
    return rows;
}

std::vector<draft> tag_rows(const snapshot& s) {
    std::vector<draft> rows;
    for (const tag_totals& t : s.tags) {
        rows.push_back(
            {{t.name, t.live_bytes(), t.live_objects(), t.allocated_bytes, t.allocations, t.freed_bytes, t.frees}, 0});
    }
    return rows;
}

// Zero is "unknown" for what not every pool can tell.
view_cell known_or_unknown(std::uint64_t value) { return value == 0 ? view_cell{} : view_cell{value}; }

std::string oldest_place(const snapshot& s, const pool_totals& p) {
    if (p.oldest_frame == 0) { return {}; }
    const std::vector<frame_words> words = user_frames({s.frames[p.oldest_frame - 1]}, s.modules, 1);
    if (words.empty()) { return {}; }
    return words.front().place.empty() ? words.front().function : words.front().function + " " + words.front().place;
}

std::vector<draft> pool_rows(const snapshot& s) {
    std::vector<draft> rows;
    const std::vector<view_cell> verdicts = verdict_cells(s, verdict_subject::pool, s.pools.size());
    for (const pool_totals& p : s.pools) {
        rows.push_back({{p.name,
                         text_or_unknown(p.upstream),
                         known_or_unknown(p.object_bytes),
                         p.capacity,
                         p.in_use,
                         p.free(),
                         p.high_water,
                         p.acquires,
                         p.hits,
                         p.acquire_failures,
                         p.misuses,
                         p.waiters,
                         known_or_unknown(p.oldest_checkout_ns),
                         text_or_unknown(oldest_place(s, p)),
                         text_or_unknown(p.oldest_trace.is_valid() ? to_string(p.oldest_trace) : std::string()),
                         text_or_unknown(p.oldest_route == 0 ? std::string() : s.routes[p.oldest_route]),
                         p.object_bytes == 0 ? view_cell{} : view_cell{p.idle_bytes()},
                         p.storage_bytes,
                         text_or_unknown(p.tag),
                         p.upstream.empty() ? view_cell{} : view_cell{p.upstream_is_pool ? "pool" : "tag"},
                         p.most_waiters,
                         p.waits,
                         p.wait_ns,
                         verdicts[rows.size()]},
                        0});
    }
    return rows;
}

std::vector<draft> thread_rows(const snapshot& s) {
    std::vector<group> groups(s.threads.size());
    for (const live_record& r : s.live) { groups[r.thread].add(s, r); }
    std::vector<draft> rows;
    for (std::uint32_t i = 0; i < groups.size(); ++i) {
        const thread_info& t = s.threads[i];
        if (groups[i].live.samples == 0 && (!t.is_alive || i == 0)) { continue; }
        draft row{{text_or_unknown(t.name), t.tid == 0 ? view_cell{} : view_cell{t.tid}, t.is_alive}, i};
        append_group(row.cells, groups[i]);
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<draft> route_rows(const snapshot& s) {
    std::vector<group> groups(s.routes.size());
    for (const live_record& r : s.live) { groups[r.route].add(s, r); }
    std::vector<draft> rows;
    for (std::uint32_t i = 0; i < groups.size(); ++i) {
        if (groups[i].live.samples == 0) { continue; }
        draft row{{text_or_unknown(s.routes[i])}, i};
        append_group(row.cells, groups[i]);
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<draft> trace_rows(const snapshot& s) {
    std::unordered_map<trace_id, group> groups;
    for (const live_record& r : s.live) { groups[r.trace].add(s, r); }
    std::vector<draft> rows;
    for (const auto& [trace, g] : groups) {
        draft row{{trace.is_valid() ? to_string(trace) : "(none)", text_or_unknown(s.routes[g.route])}, 0};
        append_group(row.cells, g);
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<draft> survivor_rows(const snapshot& s) {
    const std::vector<std::uint64_t> ages = oldest_ages(s);
    std::vector<draft> rows;
    for (const survival& row : s.survivals) {
        if (row.survived.samples == 0) { continue; }
        const site& where = s.sites[row.site];
        rows.push_back(
            {{site_key(s, where), site_name(s, where), s.tags[where.tag].name,
              std::uint64_t{s.stacks[where.stack].frames.size()}, bytes_of(where.live), age_of(ages[row.site]),
              bytes_of(row.survived), objects_of(row.survived), bytes_of(row.ended), bytes_of(row.short_lived),
              static_cast<std::uint64_t>(std::min(row.survived_traced_bytes, row.survived.bytes)), row.survived.samples},
             row.site});
    }
    return rows;
}

std::vector<draft> hand_off_rows(const snapshot& s) {
    std::vector<draft> rows;
    for (const hand_off& pair : s.hand_offs) {
        const auto tid = [](std::uint64_t id) { return id == 0 ? view_cell{} : view_cell{id}; };
        rows.push_back({{text_or_unknown(pair.from), tid(pair.from_tid), text_or_unknown(pair.to), tid(pair.to_tid),
                         bytes_of(pair.freed), objects_of(pair.freed), pair.freed.samples},
                        0});
    }
    return rows;
}

const std::vector<view_spec>& specs() {
    using enum view_unit;
    static const std::vector<view_spec> table{
        {view_kind::sites,
         "sites",
         "site",
         "live_bytes",
         {{"site", "site", text, true},
          {"function", "function", text},
          {"type", "type", text},
          {"tag", "tag", text},
          {"live_bytes", "live bytes", bytes},
          {"live_objects", "objects", count},
          {"samples", "samples", count, true},
          {"oldest_age_ns", "oldest", nanoseconds},
          {"allocated_bytes", "allocated", bytes, true},
          {"freed_bytes", "freed", bytes, true},
          {"cross_thread_freed_bytes", "freed elsewhere", bytes, true},
          {"route", "route", text, false, false},
          {"routes", "routes", text, true, false},
          {"trace_ids", "trace ids", text, true, false},
          {"stack", "stack", text, true, false},
          {"verdict", "verdict", text, true, false}},
         site_rows,
         add_site_details},
        {view_kind::types,
         "types",
         "type",
         "live_bytes",
         {{"type", "type", text},
          {"live_bytes", "live bytes", bytes},
          {"live_objects", "objects", count},
          {"samples", "samples", count, true},
          {"sites", "sites", count},
          {"oldest_age_ns", "oldest", nanoseconds}},
         type_rows,
         nullptr},
        {view_kind::tags,
         "tags",
         "tag",
         "live_bytes",
         {{"tag", "tag", text},
          {"live_bytes", "live bytes", bytes},
          {"live_objects", "objects", count},
          {"allocated_bytes", "allocated", bytes},
          {"allocations", "allocations", count},
          {"freed_bytes", "freed", bytes},
          {"frees", "frees", count}},
         tag_rows,
         nullptr},
        {view_kind::pools,
         "pools",
         "pool",
         "in_use",
         {{"pool", "pool", text},
          {"upstream", "upstream", text},
          {"object_bytes", "object", bytes},
          {"capacity", "capacity", count},
          {"in_use", "in use", count},
          {"free", "free", count},
          {"high_water", "high water", count},
          {"acquires", "acquires", count, true},
          {"hits", "hits", count, true},
          {"acquire_failures", "failures", count},
          {"misuses", "misuses", count},
          {"waiters", "waiting", count},
          {"oldest_checkout_ns", "oldest out", nanoseconds},
          {"oldest_site", "taken at", text},
          {"oldest_trace_id", "for trace", text},
          {"oldest_route", "route", text, true},
          {"idle_bytes", "idle", bytes},
          {"storage_bytes", "storage", bytes},
          {"tag", "tag", text, true},
          {"upstream_kind", "upstream is", text, true},
          {"most_waiters", "most waiting", count, true},
          {"waits", "waits", count, true},
          {"wait_ns", "waited", nanoseconds, true},
          {"verdict", "verdict", text, true}},
         pool_rows,
         nullptr},
        {view_kind::threads,
         "threads",
         "thread",
         "live_bytes",
         {{"thread", "thread", text},
          {"tid", "tid", identifier},
          {"alive", "alive", text},
          {"live_bytes", "live bytes", bytes},
          {"live_objects", "objects", count},
          {"samples", "samples", count, true},
          {"oldest_age_ns", "oldest", nanoseconds}},
         thread_rows,
         nullptr},
        {view_kind::routes,
         "routes",
         "route",
         "live_bytes",
         {{"route", "route", text},
          {"live_bytes", "live bytes", bytes},
          {"live_objects", "objects", count},
          {"samples", "samples", count, true},
          {"oldest_age_ns", "oldest", nanoseconds}},
         route_rows,
         nullptr},
        {view_kind::traces,
         "traces",
         "trace",
         "live_bytes",
         {{"trace_id", "trace", text},
          {"route", "route", text},
          {"live_bytes", "live bytes", bytes},
          {"live_objects", "objects", count},
          {"samples", "samples", count, true},
          {"oldest_age_ns", "oldest", nanoseconds}},
         trace_rows,
         nullptr},
        {view_kind::survivors,
         "survivors",
         "survivor",
         "survived_bytes",
         {{"site", "site", text, true},
          {"function", "site", text},
          {"tag", "tag", text},
          {"depth", "depth", count},
          {"live_bytes", "live bytes", bytes},
          {"oldest_age_ns", "oldest", nanoseconds},
          {"survived_bytes", "survived", bytes},
          {"survived_objects", "objects", count},
          {"ended_bytes", "freed since", bytes},
          {"short_lived_bytes", "short-lived", bytes},
          {"survived_traced_bytes", "of a trace", bytes},
          {"samples", "samples", count, true}},
         survivor_rows,
         nullptr},
        {view_kind::hand_offs,
         "hand_offs",
         "hand_off",
         "freed_bytes",
         {{"from", "made by", text},
          {"from_tid", "tid", identifier},
          {"to", "freed by", text},
          {"to_tid", "tid", identifier},
          {"freed_bytes", "bytes", bytes},
          {"freed_objects", "objects", count},
          {"samples", "samples", count, true}},
         hand_off_rows,
         nullptr},
    };
    return table;
}

const view_spec& spec_of(view_kind kind) { return specs()[static_cast<std::size_t>(kind)]; }

// Numbers compare by value, text by its bytes, unknown comes last.
std::optional<double> number_of(const view_cell& cell) {
    if (const auto* exact = std::get_if<std::uint64_t>(&cell)) { return static_cast<double>(*exact); }
    if (const auto* sampled = std::get_if<estimate>(&cell)) { return sampled->value; }
    if (const auto* flag = std::get_if<bool>(&cell)) { return *flag ? 1.0 : 0.0; }
    return std::nullopt;
}

bool comes_first(const view_cell& a, const view_cell& b) {
    const auto *text_a = std::get_if<std::string>(&a), *text_b = std::get_if<std::string>(&b);
    if (text_a != nullptr && text_b != nullptr) { return *text_a < *text_b; }
    if (text_a != nullptr || text_b != nullptr) { return text_a != nullptr; }
    const std::optional<double> left = number_of(a), right = number_of(b);
    return left.has_value() && (!right.has_value() || *left > *right);
}

// What a cursor remembers of the last row: its first cell names it (site key, tag, trace id, ...).
std::uint64_t identity_of(const draft& row) {
    const auto* name = std::get_if<std::string>(&row.cells.front());
    return fnv1a(name == nullptr ? std::string_view() : std::string_view(*name));
}

// "<position>.<hash of the last row>", so that pages stay aligned while the tables behind them move.
struct page_cursor {
    std::size_t position{};
    std::uint64_t last_row{};
};

result<page_cursor> parse_cursor(const std::string& text) {
    page_cursor cursor;
    const char* const end = text.data() + text.size();
    const auto position = std::from_chars(text.data(), end, cursor.position);
    if (position.ec == std::errc() && position.ptr != end && *position.ptr == '.') {
        const auto hash = std::from_chars(position.ptr + 1, end, cursor.last_row, 16);
        if (hash.ec == std::errc() && hash.ptr == end && hash.ptr != position.ptr + 1) { return cursor; }
    }
    return fail(error_code::invalid_argument, "not a cursor of this view", "cursor");
}

std::size_t first_row_after(const std::vector<draft>& rows, const page_cursor& cursor) {
    const auto last = std::find_if(rows.begin(), rows.end(), [&](const draft& r) { return identity_of(r) == cursor.last_row; });
    if (last != rows.end()) { return static_cast<std::size_t>(last - rows.begin()) + 1; }
    return std::min(cursor.position, rows.size());
}

result<std::size_t> sort_column(const view_spec& spec, const std::string& wanted) {
    const std::string_view key = wanted.empty() ? std::string_view(spec.default_sort) : std::string_view(wanted);
    std::string choices;
    for (std::size_t i = 0; i < spec.columns.size(); ++i) {
        if (!spec.columns[i].is_sortable) { continue; }
        if (spec.columns[i].key == key) { return i; }
        choices += (choices.empty() ? "" : ", ") + std::string(spec.columns[i].key);
    }
    return fail(error_code::invalid_argument, fmt::format("cannot sort {} by that; one of {}", spec.plural, choices), "sort");
}

}  // namespace

const char* to_string(view_kind kind) noexcept {
    static constexpr std::array<const char*, 9> names{"sites",  "types",  "tags",      "pools",    "threads",
                                                      "routes", "traces", "survivors", "hand_offs"};
    const auto index = static_cast<std::size_t>(kind);
    return index < names.size() ? names[index] : "?";
}

result<view_kind> parse_view_kind(std::string_view text) {
    std::string choices;
    for (const view_spec& spec : specs()) {
        if (text == spec.plural || text == spec.singular) { return spec.kind; }
        choices += (choices.empty() ? "" : ", ") + std::string(spec.singular);
    }
    return fail(error_code::invalid_argument, "not a view; one of " + choices, std::string(text));
}

result<view> make_view(const snapshot& whole, view_kind kind, const view_options& options) {
    snapshot survivors;  // a copy only for who asks
    if (options.only.is_set()) {
        survivors = whole;
        keep_survivors(survivors, options.only);
    }
    const snapshot& s = options.only.is_set() ? survivors : whole;
    const view_spec& spec = spec_of(kind);
    const result<std::size_t> column = sort_column(spec, options.sort);
    if (!column) { return tl::unexpected<error>(column.error()); }
    page_cursor cursor;
    if (!options.cursor.empty()) {
        const result<page_cursor> parsed = parse_cursor(options.cursor);
        if (!parsed) { return tl::unexpected<error>(parsed.error()); }
        cursor = *parsed;
    }

    std::vector<draft> rows = spec.make_rows(s);
    std::sort(rows.begin(), rows.end(), [&](const draft& a, const draft& b) {
        if (comes_first(a.cells[*column], b.cells[*column])) { return true; }
        if (comes_first(b.cells[*column], a.cells[*column])) { return false; }
        return comes_first(a.cells.front(), b.cells.front());
    });

    view v{kind, s.info, spec.columns, {}, rows.size(), measure_context(s), options.only, {}, {}};
    const std::size_t begin = options.cursor.empty() ? 0 : first_row_after(rows, cursor);
    const std::size_t end = options.top == 0 ? rows.size() : begin + std::min(options.top, rows.size() - begin);
    std::vector<draft> page(std::make_move_iterator(rows.begin() + static_cast<std::ptrdiff_t>(begin)),
                            std::make_move_iterator(rows.begin() + static_cast<std::ptrdiff_t>(end)));
    if (end < rows.size() && !page.empty()) { v.cursor = fmt::format("{}.{:x}", end, identity_of(page.back())); }
    if (spec.add_details != nullptr) { spec.add_details(s, page); }
    for (draft& row : page) { v.rows.push_back(std::move(row.cells)); }
    return v;
}

}  // namespace v1
}  // namespace memwatch
