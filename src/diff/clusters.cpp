// SPDX-License-Identifier: Apache-2.0
#include "diff/clusters.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include <memwatch/model/site_name.hpp>

#include "diff/ranking.hpp"

namespace memwatch::inline v1 {
namespace {

constexpr std::size_t kept_shares = 3;

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// "ns::node_pool<int, a::b>::take" -> "take"; what stays in `name` is its scope. Template arguments are no scopes.
std::string_view take_last_part(std::string_view& name) {
    int depth = 0;
    for (std::size_t i = name.size(); i > 1; --i) {
        const char c = name[i - 1];
        depth += c == '>' ? 1 : c == '<' ? -1 : 0;
        if (depth == 0 && c == ':' && name[i - 2] == ':') {
            const std::string_view last = name.substr(i);
            name = name.substr(0, i - 2);
            return last;
        }
    }
    return std::exchange(name, {});
}

std::string_view without_arguments(std::string_view part) { return part.substr(0, part.find('<')); }

// "xmalloc", "str_dup", "allocate_node", "my::arena_allocator::get": who calls it is the place.
bool is_wrapper(std::string_view bare_name) {
    const std::string function = lower_case(without_arguments(take_last_part(bare_name)));
    const std::string scope = lower_case(without_arguments(take_last_part(bare_name)));
    return function.find("alloc") != std::string::npos || ends_with(function, "dup") || ends_with(scope, "allocator");
}

// A call of the user's own code in a stack: where it stands, and what it is in words that are equal for equal places.
struct call {
    std::size_t frame;
    std::string place;
};

// Reads the calls of stacks, innermost first; remembers what a function is, because rows share most of theirs.
class call_reader {
public:
    explicit call_reader(const std::vector<module>& modules) : modules_(modules), is_own_module_(modules.size()) {}

    // The first call is the allocating end.
    std::vector<call> calls_of(const std::vector<frame>& stack, std::size_t most) {
        std::vector<call> own;
        std::optional<call> first_wrapper;
        for (std::size_t i = 0; i < stack.size() && own.size() < most; ++i) { add_frame(stack, i, most, own, first_wrapper); }
        if (own.empty() && first_wrapper) { own.push_back(std::move(*first_wrapper)); }
        return own;
    }

private:
    enum class role { plumbing, wrapper, own };

    void add_frame(const std::vector<frame>& stack, std::size_t index, std::size_t most, std::vector<call>& own,
                   std::optional<call>& first_wrapper) {
        const frame& f = stack[index];
        bool is_named = false;
        for (const source_line& line : f.lines) {
            if (line.function.empty()) { continue; }
            is_named = true;
            const known& what = look_up(line.function);
            if (what.is == role::plumbing || own.size() == most) { continue; }
            call found{index, place_of(f, line, what.name)};
            if (what.is == role::own || !own.empty()) {  // above the allocating end a wrapper is a caller like others
                own.push_back(std::move(found));
            } else if (!first_wrapper) {
                first_wrapper = std::move(found);
            }
        }
        if (!is_named && is_own_unnamed(f)) { own.push_back({index, address_of(f)}); }
    }

    struct known {
        role is;
        std::string name;
    };

    const known& look_up(const std::string& function) {
        const auto [at, is_new] = functions_.try_emplace(function);
        if (is_new) {
            at->second.name = bare_function_name(function);
            at->second.is = is_plumbing(function) ? role::plumbing : is_wrapper(at->second.name) ? role::wrapper : role::own;
        }
        return at->second;
    }

    std::string place_of(const frame& f, const source_line& line, const std::string& name) const {
        if (line.line == 0) { return name + '\n' + address_of(f); }
        return name + '\n' + line.file + '\n' + std::to_string(line.line);
    }

    std::string address_of(const frame& f) const {
        std::string module_name;
        if (f.module < modules_.size()) {
            const module& m = modules_[f.module];
            module_name = m.build_id.empty() ? m.path : m.build_id;
        }
        return module_name + '+' + std::to_string(f.offset);
    }

    // site_name() is the one place that knows which unnamed modules are plumbing; it depends on the module alone.
    bool is_own_unnamed(const frame& f) {
        if (f.module >= modules_.size()) { return false; }
        std::optional<bool>& is_own = is_own_module_[f.module];
        if (!is_own) {
            const frame bare{f.module, f.offset, {}};
            is_own = site_name({frame{}, bare}, modules_) == frame_name(bare, modules_);
        }
        return *is_own;
    }

    const std::vector<module>& modules_;
    std::vector<std::optional<bool>> is_own_module_;
    std::unordered_map<std::string, known> functions_;
};

constexpr std::size_t most_calls = 64;

// From the leaf to the last call of the user's that all `rows` share.
std::vector<frame> shared_frames(const delta& d, const std::vector<std::size_t>& rows, call_reader& reader) {
    const std::vector<frame>& stack = d.rows[rows.front()].stack;
    if (rows.size() == 1) { return stack; }
    const std::vector<call> first = reader.calls_of(stack, most_calls);
    std::size_t common = first.size();
    for (std::size_t i = 1; i < rows.size() && common > 1; ++i) {
        const std::vector<call> other = reader.calls_of(d.rows[rows[i]].stack, common);
        std::size_t same = 0;
        while (same < std::min(common, other.size()) && first[same].place == other[same].place) { ++same; }
        common = same;
    }
    const std::size_t frames = common == 0 ? 0 : first[common - 1].frame + 1;
    return {stack.begin(), stack.begin() + static_cast<std::ptrdiff_t>(frames)};
}

// Equal ones become one, in the order of their first. A place that 100,000 stacks reach has as many traces.
void unite_shares(std::vector<delta_share>& shares) {
    std::map<std::tuple<dimension, std::string, trace_id>, std::size_t> known;
    std::vector<delta_share> united;
    for (delta_share& each : shares) {
        const auto [at, is_new] = known.try_emplace({each.by, each.name, each.trace}, united.size());
        is_new ? united.push_back(std::move(each)) : void(united[at->second].bytes += each.bytes);
    }
    shares = std::move(united);
}

void keep_largest_shares(std::vector<delta_share>& shares) {
    std::stable_sort(shares.begin(), shares.end(), [](const delta_share& a, const delta_share& b) {
        return a.by != b.by ? a.by < b.by : std::abs(a.bytes) > std::abs(b.bytes);
    });
    std::vector<delta_share> kept;
    for (delta_share& each : shares) {
        const bool is_full = kept.size() >= kept_shares && kept[kept.size() - kept_shares].by == each.by;
        if (!is_full) { kept.push_back(std::move(each)); }
    }
    shares = std::move(kept);
}

// Who calls the place that the rows share, with how much of the change.
void add_callers(delta_row& finding, const delta& d, const cluster& of, call_reader& reader) {
    std::vector<delta_share> callers;
    const std::size_t common = reader.calls_of(of.shared, most_calls).size();
    for (const std::size_t row : of.rows) {
        const std::vector<call> calls = reader.calls_of(d.rows[row].stack, common + 1);
        if (calls.size() <= common) { continue; }  // one of them ends where the others go on
        const std::string& place = calls.back().place;
        const auto end = place.find('\n');
        std::string name =
            end != std::string::npos ? place.substr(0, end) : frame_name(d.rows[row].stack[calls.back().frame], d.modules);
        callers.push_back({dimension::site, std::move(name), d.rows[row].bytes, {}});
    }
    unite_shares(callers);
    keep_largest_shares(callers);
    finding.shares.insert(finding.shares.end(), callers.begin(), callers.end());
}

// Lists of row indices, numbered by their first row.
std::vector<std::vector<std::size_t>> partition(const delta& d, call_reader& reader, bool by_direction) {
    std::vector<std::vector<std::size_t>> groups;
    std::unordered_map<std::string, std::size_t> group_of;
    for (std::size_t i = 0; i < d.rows.size(); ++i) {
        const delta_row& row = d.rows[i];
        std::vector<call> end;
        if (d.by == dimension::site) { end = reader.calls_of(row.stack, 1); }
        if (end.empty()) {
            groups.push_back({i});
            continue;
        }
        const std::string direction = !by_direction ? "" : row.bytes > 0 ? "+" : "-";
        const std::string key = direction + row.tag + '\n' + end.front().place;
        const auto [at, is_new] = group_of.try_emplace(key, groups.size());
        if (is_new) { groups.emplace_back(); }
        groups[at->second].push_back(i);
    }
    return groups;
}

// Noise of one caller must not drown what is proven of another: such a group becomes two, what is proven first.
std::vector<std::vector<std::size_t>> split_drowned(const delta& d, std::vector<std::vector<std::size_t>> groups) {
    std::vector<std::vector<std::size_t>> out;
    for (std::vector<std::size_t>& rows : groups) {
        double bytes = 0;
        double error = 0;
        for (const std::size_t i : rows) {
            bytes += d.rows[i].bytes;
            error = std::hypot(error, d.rows[i].bytes_standard_error);
        }
        std::vector<std::size_t> rest;
        if (std::abs(bytes) <= 2 * error) {
            const auto unproven =
                std::stable_partition(rows.begin(), rows.end(), [&](std::size_t i) { return d.rows[i].is_significant(); });
            rest.assign(unproven, rows.end());
            rows.erase(unproven, rows.end());
        }
        if (!rows.empty()) { out.push_back(std::move(rows)); }
        if (!rest.empty()) { out.push_back(std::move(rest)); }
    }
    return out;
}

void add_side(delta_side& to, const delta_side& other) {
    to.live.add(other.live);
    to.oldest_age_ns = std::max(to.oldest_age_ns, other.oldest_age_ns);
    to.sites += other.sites;
    if (other.first_birth_unix_ns != 0 && (to.first_birth_unix_ns == 0 || other.first_birth_unix_ns < to.first_birth_unix_ns)) {
        to.first_birth_unix_ns = other.first_birth_unix_ns;
    }
    to.last_birth_unix_ns = std::max(to.last_birth_unix_ns, other.last_birth_unix_ns);
}

void add_known(double& to, double other) { to = to < 0 || other < 0 ? -1 : to + other; }

change kind_of(const delta_row& row) {
    const auto is_nothing = [](const sampled_totals& side) { return side.bytes == 0 && side.objects == 0; };
    if (row.bytes == 0 && row.objects == 0) { return change::unchanged; }
    if (is_nothing(row.before.live)) { return change::appeared; }
    if (is_nothing(row.after.live)) { return change::gone; }
    return (row.bytes != 0 ? row.bytes : row.objects) > 0 ? change::grew : change::shrank;
}

void add_row(delta_row& to, const delta_row& other) {
    add_side(to.before, other.before);
    add_side(to.after, other.after);
    to.bytes += other.bytes;
    to.objects += other.objects;
    to.bytes_standard_error = std::hypot(to.bytes_standard_error, other.bytes_standard_error);
    to.rate_bytes_per_s += other.rate_bytes_per_s;
    to.survivors_bytes += other.survivors_bytes;
    add_known(to.survived_bytes, other.survived_bytes);
    add_known(to.freed_bytes, other.freed_bytes);
    to.steady_bytes += other.steady_bytes;
    to.is_exact = to.is_exact && other.is_exact;
    if (to.type != other.type) { to.type.clear(); }
    if (to.rung != other.rung) { to.rung = std::max(to.rung, other.rung); }
    for (std::size_t i = 0; i < std::min(to.during_bytes.size(), other.during_bytes.size()); ++i) {
        to.during_bytes[i] += other.during_bytes[i];
    }
    to.shares.insert(to.shares.end(), other.shares.begin(), other.shares.end());
}

}  // namespace

delta_row merge_rows(const delta& d, const std::vector<std::size_t>& rows) {
    delta_row sum = d.rows[rows.front()];
    if (rows.size() == 1) { return sum; }
    const auto mass = [](const delta_row& row) { return std::abs(row.bytes) + 1; };
    double total_mass = mass(sum);
    sum.rank.long_lived *= total_mass;
    sum.rank.weight *= total_mass;
    for (std::size_t i = 1; i < rows.size(); ++i) {
        const delta_row& other = d.rows[rows[i]];
        add_row(sum, other);
        total_mass += mass(other);
        sum.rank.long_lived += mass(other) * other.rank.long_lived;
        sum.rank.weight += mass(other) * other.rank.weight;
        sum.rank.score = std::max(sum.rank.score, other.rank.score);
    }
    sum.rank.long_lived = std::min(1.0, sum.rank.long_lived / total_mass);
    sum.rank.weight = std::min(1.0, sum.rank.weight / total_mass);
    sum.what = kind_of(sum);
    unite_shares(sum.shares);
    keep_largest_shares(sum.shares);
    return sum;
}

std::vector<std::vector<std::size_t>> rows_by_place(const delta& d) {
    call_reader reader(d.modules);
    return partition(d, reader, false);
}

std::vector<cluster> cluster_rows(const delta& d) {
    call_reader reader(d.modules);
    std::vector<delta_row> sums;
    std::vector<cluster> all;
    double largest = 0;
    for (std::vector<std::size_t>& rows : split_drowned(d, partition(d, reader, true))) {
        sums.push_back(merge_rows(d, rows));
        delta_row& sum = sums.back();
        largest = std::max(largest, sum.rank_bytes());
        std::vector<frame> shared = shared_frames(d, rows, reader);
        all.push_back(
            {std::move(rows), std::move(shared), sum.bytes, sum.rate_bytes_per_s, sum.bytes_standard_error, sum.rank});
    }
    const bool is_own = d.ranking == "own";  // only its rows' order is known
    const ranking by = parse_ranking(d.ranking).value_or(ranking::weighted);
    std::vector<std::pair<rank_key, std::size_t>> order;
    for (std::size_t i = 0; i < all.size(); ++i) {
        rank_terms& rank = sums[i].rank;
        if (!is_own) { rank = score_terms(sums[i].rank_bytes(), largest, rank.long_lived, rank.weight); }
        all[i].rank = rank;
        order.emplace_back(is_own ? rank_key{} : key_of(by, sums[i]), i);
    }
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first.is_before(b.first); });
    std::vector<cluster> out;
    out.reserve(all.size());
    for (const auto& [key, index] : order) { out.push_back(std::move(all[index])); }
    return out;
}

namespace {

// The first `top`, and the other half of each move that one of them is part of, as diff() does with rows.
void cut_to_top(std::vector<cluster>& clusters, const delta& d, std::size_t top) {
    if (top == 0 || clusters.size() <= top) { return; }
    std::vector<std::size_t> cluster_of(d.rows.size(), clusters.size());
    for (std::size_t i = 0; i < clusters.size(); ++i) {
        for (const std::size_t row : clusters[i].rows) { cluster_of[row] = i; }
    }
    std::vector<bool> is_kept(clusters.size() + 1);
    std::fill_n(is_kept.begin(), top, true);
    for (const move_proposal& each : d.moves) {
        const std::size_t gone = cluster_of[each.gone];
        const std::size_t appeared = cluster_of[each.appeared];
        if (std::min(gone, appeared) < top) { is_kept[gone] = is_kept[appeared] = true; }
    }
    std::size_t index = 0;
    std::erase_if(clusters, [&](const cluster&) { return !is_kept[index++]; });
}

}  // namespace

std::vector<cluster> keep_top_clusters(delta& d, std::size_t top, double threshold_bytes) {
    std::vector<cluster> clusters = cluster_rows(d);
    const std::size_t found = clusters.size();
    std::erase_if(clusters, [&](const cluster& c) { return std::abs(c.bytes) < threshold_bytes; });
    cut_to_top(clusters, d, top);
    if (clusters.size() == found) { return clusters; }
    constexpr std::size_t gone = ~std::size_t{0};
    std::vector<std::size_t> place(d.rows.size(), gone);
    for (const cluster& each : clusters) {
        for (const std::size_t row : each.rows) { place[row] = row; }
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < d.rows.size(); ++i) {
        if (place[i] == gone) { continue; }
        place[i] = kept;
        if (kept != i) { d.rows[kept] = std::move(d.rows[i]); }
        ++kept;
    }
    d.hidden_rows += d.rows.size() - kept;
    d.rows.resize(kept);
    for (cluster& each : clusters) {
        for (std::size_t& row : each.rows) { row = place[row]; }
    }
    std::erase_if(d.moves, [&](const move_proposal& m) { return place[m.gone] == gone || place[m.appeared] == gone; });
    for (move_proposal& each : d.moves) {
        each.gone = place[each.gone];
        each.appeared = place[each.appeared];
    }
    return clusters;
}

delta as_findings(const delta& d, const std::vector<cluster>& clusters) {
    delta out = d;
    out.rows.clear();
    call_reader reader(d.modules);
    std::vector<std::size_t> place(d.rows.size());
    for (const cluster& each : clusters) {
        for (const std::size_t row : each.rows) { place[row] = out.rows.size(); }
        out.rows.push_back(merge_rows(d, each.rows));
        delta_row& finding = out.rows.back();
        finding.rank = each.rank;
        finding.stacks = each.rows.size();
        if (finding.stacks == 1) { continue; }
        finding.stack = each.shared;
        add_callers(finding, d, each, reader);
    }
    for (move_proposal& each : out.moves) { each = {place[each.gone], place[each.appeared], std::move(each.why)}; }
    return out;
}

}  // namespace memwatch::inline v1
