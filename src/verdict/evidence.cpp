// SPDX-License-Identifier: Apache-2.0
#include "verdict/evidence.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr double most_loss = 0.2;       // beyond the settled age
constexpr double one_sided_95 = 1.645;  // of the normal distribution
constexpr double two_sided_95 = 1.96;

struct timeline {
    const site_history& site;
    const look_context& at;

    [[nodiscard]] std::size_t size() const noexcept { return at.groups.size(); }
    // Epochs before now.
    [[nodiscard]] double ago(std::uint64_t time) const noexcept {
        return at.now_ns > time ? static_cast<double>(at.now_ns - time) / at.epoch_ns : 0;
    }
    [[nodiscard]] double start_ago(std::size_t g) const noexcept { return ago(at.groups.start(g)); }
    [[nodiscard]] double end_ago(std::size_t g) const noexcept { return ago(at.groups.end(g)); }
    [[nodiscard]] double samples(float amount) const noexcept { return static_cast<double>(amount) / site.unit; }
    [[nodiscard]] bool is_alive(std::size_t g) const noexcept { return samples(site.alive[g]) > 0.5; }

    [[nodiscard]] double live() const noexcept {
        double sum = 0;
        for (std::size_t g = 0; g < size(); ++g) { sum += samples(site.alive[g]); }
        return sum;
    }
    // What was live `epochs` ago: between the marks, linear.
    [[nodiscard]] double live_ago(double epochs) const noexcept {
        double later = live();
        double later_ago = 0;
        for (std::size_t g = size(); g-- > 0;) {
            const double mark = samples(site.live_at[g]);
            const double mark_ago = start_ago(g);
            if (epochs <= mark_ago) {
                const double span = mark_ago - later_ago;
                return span <= 0 ? mark : later + (mark - later) * (epochs - later_ago) / span;
            }
            later = mark;
            later_ago = mark_ago;
        }
        return later;
    }
    // Sum over groups of `amounts` within (from .. to) epochs ago, from > to; groups at the edge by their share of time.
    [[nodiscard]] double between(const float* amounts, double from, double to) const noexcept {
        double sum = 0;
        for (std::size_t g = 0; g < size(); ++g) {
            const double older = start_ago(g);
            const double younger = end_ago(g);
            const double overlap = std::min(from, older) - std::max(to, younger);
            if (overlap <= 0 || older <= younger) { continue; }
            sum += static_cast<double>(amounts[g]) * std::min(1.0, overlap / (older - younger));
        }
        return sum;
    }
};

double lower_edge(std::size_t cell) noexcept { return cell == 0 ? 0 : std::ldexp(1.0, static_cast<int>(cell) - 1); }

void find_settled(const timeline& t, evidence& e, const settlement& settled) {
    e.settled_age = settled.age;
    if (settled.age <= 0) { return; }
    double born = 0;
    for (std::size_t g = 0; g < t.size(); ++g) {
        if (t.end_ago(g) < settled.age) { continue; }
        e.settled += t.samples(t.site.alive[g]);
        born += t.samples(t.site.born[g]);
        e.generations += t.is_alive(g) ? 1 : 0;
        e.possible += t.site.born[g] > 0 ? 1 : 0;
    }
    e.settled_share = e.live > 0 ? e.settled / e.live : 0;
    e.follow_up = e.oldest / settled.age;
    const double spread = settled.loss_variance + (e.settled > 0 ? 1 / (e.settled * e.settled) : 1);
    e.survival_low = std::exp(-(settled.loss + one_sided_95 * std::sqrt(spread)));
    // Wilson's interval of alive / born.
    const double n = std::max(born, e.settled);
    if (n <= 0) { return; }
    const double p = std::min(1.0, e.settled / n);
    const double z2 = two_sided_95 * two_sided_95;
    const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
    const double half = two_sided_95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    e.kept = p;
    e.kept_low = std::max(0.0, centre - half);
    e.kept_high = std::min(1.0, centre + half);
}

// Retention in the last third of the settled time beside the time before, by time or by what was born (or completed) then.
void find_lateness(const timeline& t, evidence& e) {
    if (e.settled_age <= 0 || e.watched <= e.settled_age) { return; }
    const double from = e.watched;
    const double to = e.settled_age;
    const double third = to + (from - to) / 3;
    const double sixth = to + (from - to) / 6;
    const double early = t.between(t.site.alive, from, third) / t.site.unit;
    const double late = t.between(t.site.alive, third, to) / t.site.unit;
    const double last = t.between(t.site.alive, sixth, to) / t.site.unit;
    const double whole = early + late;
    if (whole <= 0) { return; }
    e.recently_expected = whole / 6;
    e.recently = last / e.recently_expected;
    e.retained_rate = whole / (from - to);
    e.retained_rate_error = two_sided_95 * std::sqrt(whole) / (from - to);
    const double floor = 0.5;  // samples: a ratio with nothing in it is one of half a sample
    const auto ratio = [&](double early_load, double late_load) {
        return std::max(late, 0.0) / late_load / (std::max(early, floor) / early_load);
    };
    e.lateness = ratio(2, 1);
    e.lateness_error = e.lateness * std::sqrt(1 / std::max(late, floor) + 1 / std::max(early, floor));
    // Where most of what is born goes again, what is born is the load that the leak depends on.
    const double early_born = t.between(t.site.born, from, third);
    const double late_born = t.between(t.site.born, third, to);
    if (e.kept < 0.5 && early_born > 0 && late_born > 0) {
        e.lateness = std::max(e.lateness, ratio(early_born, late_born));
        e.recently =
            std::max(e.recently, last * (early_born + late_born) / std::max(t.between(t.site.born, sixth, to), 1e-9) / whole);
    }
    const double early_traces = t.between(t.at.traces, from, third);
    const double late_traces = t.between(t.at.traces, third, to);
    if (early_traces >= 100 && late_traces >= 100) { e.lateness = std::max(e.lateness, ratio(early_traces, late_traces)); }
    const double traces = early_traces + late_traces;
    if (traces >= 1) { e.per_trace = whole * t.site.unit / traces; }
}

// Median of slopes between the marks, and the interval of a third of them around it: normal approximation of Kendall's S (Sen
// 1968).
void find_slope(const timeline& t, evidence& e, std::size_t first) {
    constexpr std::size_t most = birth_groups::capacity + 1;
    std::array<double, most> time{};
    std::array<double, most> live{};
    std::size_t n = 0;
    for (std::size_t g = first; g < t.size(); ++g, ++n) {
        time[n] = -t.start_ago(g);
        live[n] = t.samples(t.site.live_at[g]);
    }
    live[n++] = e.live;
    if (n < 4) { return; }
    std::array<double, most*(most - 1) / 2> slopes{};
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = i + 1; k < n; ++k) {
            if (time[k] > time[i]) { slopes[pairs++] = (live[k] - live[i]) / (time[k] - time[i]); }
        }
    }
    if (pairs == 0) { return; }
    std::sort(slopes.begin(), slopes.begin() + static_cast<std::ptrdiff_t>(pairs));
    const double count = static_cast<double>(n);
    const double reach = two_sided_95 * std::sqrt(count * (count - 1) * (2 * count + 5) / 18) / 2;
    const double middle = static_cast<double>(pairs - 1) / 2;
    const auto at = [&](double rank) {
        return slopes[static_cast<std::size_t>(std::clamp(rank, 0.0, static_cast<double>(pairs - 1)))];
    };
    e.slope = at(middle);
    e.slope_low = at(middle - reach);
    e.slope_high = at(middle + reach);
}

void find_growth(const timeline& t, evidence& e) {
    const double third = e.watched / 3;
    const double a_third_ago = t.live_ago(third);
    const double grown_early = a_third_ago;
    const double grown_late = e.live - a_third_ago;
    e.growth_late = grown_early > 0 ? 2 * grown_late / grown_early : 0;
    e.growth_last = e.live > 0 ? 6 * (e.live - t.live_ago(e.watched / 6)) / e.live : 0;
    const double born_late = t.between(t.site.born, third, 0);
    const double born_before = t.between(t.site.born, 2 * third, third);
    if (born_late > 0 && born_before > 0 && a_third_ago > 0) {
        e.residence_growth = (e.live / born_late) / (a_third_ago / born_before);
    }
}

}  // namespace

settlement settlement_of(const site_history& site, double oldest_epochs) noexcept {
    settlement found;
    double loss = 0;
    double variance = 0;
    for (std::size_t cell = site_history::ages; cell-- > 2;) {
        const double edge = lower_edge(cell);
        if (edge >= oldest_epochs) { continue; }
        const double width = std::min(cell + 1 == site_history::ages ? oldest_epochs : edge, oldest_epochs - edge);
        if (site.exposure[cell] > 0) {
            const double hazard = static_cast<double>(site.deaths[cell]) / site.exposure[cell];
            const double samples = static_cast<double>(site.deaths[cell]) / site.unit;
            loss += hazard * width;
            variance += samples > 0 ? hazard * hazard * width * width / samples : 0;
        }
        if (loss > most_loss) { break; }
        found = {edge, loss, variance};
    }
    return found;
}

evidence gather_evidence(const site_history& site, const look_context& at) noexcept {
    evidence e;
    const timeline t{site, at};
    if (site.unit <= 0) { return e; }
    std::size_t first = t.size();
    std::size_t oldest = t.size();
    for (std::size_t g = t.size(); g-- > 0;) {
        if (site.born[g] > 0) { first = g; }
        if (t.is_alive(g)) {
            oldest = g;
            ++e.living;
        }
        e.born += t.samples(site.born[g]);
    }
    if (first == t.size()) { return e; }
    e.has_first_birth = true;
    e.live = t.live();
    e.live_bytes = site.live_bytes;
    e.watched = t.start_ago(first);
    // A coarse group may be as old as its start only in name.
    if (oldest != t.size()) { e.oldest = (t.start_ago(oldest) + t.end_ago(oldest)) / 2; }
    find_settled(t, e, settlement_of(site, e.oldest));
    find_lateness(t, e);
    if (e.live >= 8 && site.looks >= 4) { find_slope(t, e, first); }
    find_growth(t, e);
    e.freed = site.freed_objects;
    e.elsewhere = site.freed_objects > 0 ? std::min(1.0, double{site.freed_elsewhere_objects} / double{site.freed_objects}) : 0;
    const double traced_share = site.young_samples > 0 ? double{site.young_traced} / double{site.young_samples} : 0;
    const double traced_born = traced_share * t.between(site.born, e.watched, 3);
    e.escaped = traced_born > 0 ? std::min(1.0, double{site.escaped} / traced_born) : 0;
    e.persistence = double{site.persistence} / std::log(10.0);
    return e;
}

}  // namespace v1
}  // namespace memwatch
