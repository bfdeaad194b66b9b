// SPDX-License-Identifier: Apache-2.0
#include "verdict/evidence.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr double most_loss = 0.08;      // beyond the settled age
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

// The oldest group of those that hold all but a hundredth of what is settled: with it retention began.
std::size_t first_kept(const timeline& t, double settled_age) {
    double all = 0;
    for (std::size_t g = 0; g < t.size(); ++g) { all += t.end_ago(g) >= settled_age ? t.samples(t.site.alive[g]) : 0; }
    double older = 0;
    for (std::size_t g = 0; g < t.size(); ++g) {
        older += t.samples(t.site.alive[g]);
        if (t.is_alive(g) && older > all / 100) { return g; }
    }
    return t.size();
}

void find_settled(const timeline& t, evidence& e, const settlement& found) {
    e.settled_age = found.age;
    if (found.age <= 0) { return; }
    const std::size_t first = first_kept(t, found.age);
    double born = 0;
    for (std::size_t g = first; g < t.size(); ++g) {
        if (t.end_ago(g) < found.age) { continue; }
        e.settled += t.samples(t.site.alive[g]);
        born += t.samples(t.site.born[g]);
        e.generations += t.is_alive(g) ? 1 : 0;
        ++e.possible;
    }
    if (first == t.size() || e.settled <= 0) { return; }
    e.kept_for = t.start_ago(first);
    e.settled_share = e.settled / e.live;
    e.follow_up = e.oldest / found.age;
    e.loss = found.loss;
    for (std::size_t cell = 1; cell < site_history::ages; ++cell) { e.aged_deaths += t.samples(t.site.deaths[cell]); }
    e.late_deaths = found.late_deaths;
    const double spread = found.loss_variance + 1 / (e.settled * e.settled);
    e.survival_low = std::exp(-(found.loss + one_sided_95 * std::sqrt(spread)));
    // Wilson's interval of alive / born.
    const double n = std::max(born, e.settled);
    const double p = std::min(1.0, e.settled / n);
    const double z2 = two_sided_95 * two_sided_95;
    const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
    const double half = two_sided_95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    e.kept = p;
    e.kept_low = std::max(0.0, centre - half);
    e.kept_high = std::min(1.0, centre + half);
}

// Events before and after a moment, and how much of the load was after it.
struct halves {
    double early;
    double late;
    double late_load;  // share
};

double lateness_of(const halves& h) { return h.late / h.late_load / (std::max(h.early, 0.5) / (1 - h.late_load)); }

// log10 of the likelihood of a pace that goes with the load, over one that falls to two fifths (Heaps' law with exponent 0.5
// falls to 0.45, a fill that is four fifths complete to 0.3).
double linearity_of(const halves& h) {
    constexpr double falling = 0.4;
    const double q = h.late_load;
    const double slow = falling * q / (falling * q + 1 - q);
    return h.late * std::log10(q / slow) + h.early * std::log10((1 - q) / (1 - slow));
}

// Retention in the last third of the time since it began, beside the time before: by time, by what was born, by completed
// traces, whichever explains it best.
void find_lateness(const timeline& t, evidence& e) {
    const double from = e.kept_for;
    const double to = e.settled_age;
    if (to <= 0 || from <= to) { return; }
    const double third = to + (from - to) / 3;
    const double sixth = to + (from - to) / 6;
    halves h{t.between(t.site.alive, from, third) / t.site.unit, t.between(t.site.alive, third, to) / t.site.unit, 1.0 / 3};
    const double whole = h.early + h.late;
    if (whole <= 0) { return; }
    // A merged group may begin long before what it holds of this history does.
    const double now = static_cast<double>(t.at.now_ns) / t.at.epoch_ns;
    const double began = now - double{t.site.is_escalated ? t.site.renewed : t.site.began};
    e.retained_over = began > to ? std::min(from, began) - to : from - to;
    e.retained_rate = whole / e.retained_over;
    e.retained_rate_error = two_sided_95 * std::sqrt(whole) / e.retained_over;
    double last_load = 1.0 / 6;
    const auto take = [&](const float* load, double least, bool is_only) {
        const double early = t.between(load, from, third);
        const double late = t.between(load, third, to);
        if (early < least || late < least) { return early + late; }
        const halves by_load{h.early, h.late, late / (early + late)};
        if (is_only || linearity_of(by_load) > linearity_of(h)) {
            h = by_load;
            last_load = std::max(1e-6, t.between(load, sixth, to) / (early + late));
        }
        return early + late;
    };
    // Where most of what is born goes again, births are the load; unless they dry up together with what stays, as a table's do
    // that fills.
    const double born_early = t.between(t.site.born, from, third);
    const double born_late = t.between(t.site.born, third, to);
    if (e.kept < 0.5 && 2 * born_late >= 0.6 * born_early) { take(t.site.born, 1e-9, false); }
    // A site that requests allocate at grows with requests: a rising load must not hide that it takes ever less of each.
    const bool is_of_requests = e.kept >= 0.5 && is_mostly_traced(t.site);
    const double traces = take(t.at.traces, 100, is_of_requests);
    e.lateness = lateness_of(h);
    e.lateness_error = e.lateness * std::sqrt(1 / std::max(h.late, 0.5) + 1 / std::max(h.early, 0.5));
    e.recently_expected = whole * last_load;
    e.recently = t.between(t.site.alive, sixth, to) / t.site.unit / e.recently_expected;
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
    const double half = e.watched / 2;
    const double then = t.live_ago(half);
    const double before = t.live_ago(1.5 * half);
    e.doubled = then > 0 ? e.live / then : 0;
    e.doubled_before = before > 0 ? then / before : 0;
    e.growth_deviations = (e.live - then) / std::sqrt(std::max(1.0, e.live + then));
    const double born = t.between(t.site.born, half / 2, 0);
    const double born_then = t.between(t.site.born, 1.5 * half, half);
    if (born > 0 && born_then > 0 && then > 0) { e.residence_growth = (e.live / born) / (then / born_then); }
    const double eighth = e.watched / 8;
    e.lately = e.live - t.live_ago(eighth);
    e.lately_expected = e.live / 8;
    e.fall = double{t.site.fall};
}

}  // namespace

settlement settlement_of(const site_history& site, double oldest_epochs) noexcept {
    settlement found;
    double loss = 0;
    double variance = 0;
    double late = 0;
    double late_exposure = 0;
    double middle = 0;
    double middle_exposure = 0;
    for (std::size_t cell = site_history::ages; cell-- > 2;) {
        const double edge = lower_edge(cell);
        const double width = cell + 1 == site_history::ages ? std::max(edge, oldest_epochs - edge) : edge;
        if (site.exposure[cell] > 0) {
            const double hazard = static_cast<double>(site.deaths[cell]) / site.exposure[cell];
            const double samples = static_cast<double>(site.deaths[cell]) / site.unit;
            loss += hazard * width;
            variance += samples > 0 ? hazard * hazard * width * width / samples : 0;
        }
        if (loss > most_loss) { break; }
        (2 * edge > oldest_epochs / 4 ? late : middle) += static_cast<double>(site.deaths[cell]);
        (2 * edge > oldest_epochs / 4 ? late_exposure : middle_exposure) += static_cast<double>(site.exposure[cell]);
        found = {edge, loss, variance, 0};
    }
    if (late * middle_exposure > 2 * middle * late_exposure) { found.late_deaths = late / double{site.unit}; }
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
    // A merged group may begin long before the site did.
    const double now = static_cast<double>(at.now_ns) / at.epoch_ns;
    e.watched = std::min(t.start_ago(first), now - double{site.renewed});
    e.known_for = std::max(e.watched, now - double{site.began});
    e.at_work = t.start_ago(0);
    // A coarse group may be as old as its start only in name.
    if (oldest != t.size()) {
        e.oldest =
            std::min(t.start_ago(oldest), std::max(t.end_ago(oldest) + 1, (t.start_ago(oldest) + t.end_ago(oldest)) / 2));
    }
    find_settled(t, e, settlement_of(site, e.oldest));
    find_lateness(t, e);
    if (e.live >= 8 && site.looks >= 4) { find_slope(t, e, first); }
    find_growth(t, e);
    e.freed = site.freed_objects;
    e.elsewhere = site.freed_objects > 0 ? std::min(1.0, double{site.freed_elsewhere_objects} / double{site.freed_objects}) : 0;
    const double traced_share = site.young_samples > 0 ? double{site.young_traced} / double{site.young_samples} : 0;
    const double traced_born = traced_share * t.between(site.born, e.watched, 3);
    e.escaped = traced_born > 0 ? std::min(1.0, double{site.escaped} / traced_born) : 0;
    e.is_of_requests = is_mostly_traced(site);
    e.pace = double{site.pace};
    e.persistence = double{site.persistence} / std::log(10.0);
    return e;
}

}  // namespace v1
}  // namespace memwatch
