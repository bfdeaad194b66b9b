// SPDX-License-Identifier: Apache-2.0
#include "verdict/judgement.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace memwatch {
inline namespace v1 {
namespace {

// The information bound: 25 Poisson events are five standard deviations from none. Fewer will do where every block is known.
constexpr double samples_needed = 25;
constexpr double few_needed = 8;  // ... and each is large, and they came evenly for long
constexpr double few_bytes = 1U << 20U;
constexpr double few_epochs = 40;
constexpr unsigned few_generations = 6;
constexpr double contrast_needed = 10;  // ... and all others of the site are gone long since
constexpr double contrast_freed = 100;  // times as many
constexpr double contrast_follow_up = 8;

constexpr unsigned looks_needed = 6;
constexpr double follow_up_needed = 3;
constexpr double follow_up_of_many = 2;   // of a hundred and more, none of which died
constexpr double follow_up_of_mixed = 6;  // most stay and some go: log-outs, and sessions that time out later
constexpr double mixed_low = 0.5;
constexpr double mixed_deaths = 0.02;  // of the settled, deaths at an epoch and more
constexpr double survival_needed = 0.75;
constexpr unsigned generations_needed = 4;
constexpr double generations_share = 0.4;
constexpr double silent_generations_share = 0.5;  // a pool's high water rises in few of them
constexpr double lateness_linear = 0.75;
constexpr double lateness_least = 0.45;
constexpr double stopped_expected = 6;  // events that did not come: e^-6
constexpr double stopped_share = 0.25;
constexpr double unseen_expected = 3;  // events, of which none is seen by luck in one of twenty
constexpr double unseen_coarseness = 2;

// A site that has never let go of anything may be filling: it is given longer, and has to show that it does not slow down.
// Unless it began in a process that had been watched for long: then it is not part of a warm-up.
constexpr double silent_share = 0.8;  // kept, from which on a site counts as silent
constexpr double silent_epochs = 15;
constexpr double escaped_epochs = 6;  // blocks that have outlived the requests they were made for are given less
constexpr double escaped_share = 0.8;
constexpr double escaped_needed = 50;      // samples
constexpr double escaped_pace = 0.7;       // 2 to 1: they say enough themselves
constexpr double pace_needed = 3;          // natural log: 20 to 1 that it does not slow down, at any look
constexpr double pace_needed_exact = 1.6;  // 5 to 1
constexpr double warm_process = 6;         // times as long as the site

// Growth with frees: a queue that is filled faster than it is emptied.
constexpr unsigned growth_looks = 24;
constexpr double growth_epochs = 40;
constexpr double growth_doubled = 1.5;  // 2 is linear, 1.41 a square root
constexpr double growth_deviations = 5;
constexpr double pool_deviations = 2.5;  // and the oldest object is out for long
constexpr double growth_above_load = 1.25;
constexpr double growth_fall = 0.2;
constexpr double growth_lately = 0.5;
constexpr double growth_oldest = 0.08;   // of the time watched
constexpr double growth_youngest = 0.8;  // the first to come are gone: else it is a table that fills, and has let go of nobody

bool is_stopped(const evidence& e) noexcept { return e.recently_expected >= stopped_expected && e.recently < stopped_share; }

// R was raised since: growth that goes on as before would hardly be seen by now.
bool is_unseen(const evidence& e) noexcept {
    return e.coarseness >= unseen_coarseness && e.recently_expected < unseen_expected * e.coarseness;
}

bool is_silent(const evidence& e) noexcept { return e.kept >= silent_share && e.known_for * warm_process > e.at_work; }

bool is_few(const evidence& e) noexcept { return e.settled < samples_needed && e.kept >= silent_share; }

bool is_even(const evidence& e) noexcept { return e.lateness + e.lateness_error >= lateness_linear; }

// What requests left behind, and goes on at their pace as far as can be told.
bool has_escaped(const evidence& e) noexcept {
    return e.is_of_requests && e.escaped >= escaped_share && e.settled >= escaped_needed && e.pace >= escaped_pace &&
           is_even(e) && e.known_for >= escaped_epochs;
}

bool is_linear(const evidence& e, bool is_exact) noexcept {
    if (is_stopped(e) || e.lateness < lateness_least) { return false; }
    const bool is_even_for_long = e.watched >= few_epochs && e.lateness >= lateness_linear;
    if (is_few(e)) { return is_even_for_long; }
    if (!is_silent(e)) { return is_even(e); }
    if (has_escaped(e) || (is_exact && is_even_for_long)) { return true; }
    return e.known_for >= silent_epochs && is_even(e) && e.pace >= (is_exact ? pace_needed_exact : pace_needed);
}

bool is_plateau(const evidence& e) noexcept {
    double needed = e.settled >= 100 && e.loss < 0.02 ? follow_up_of_many : follow_up_needed;
    if (e.kept >= mixed_low && e.aged_deaths >= mixed_deaths * e.settled) { needed = follow_up_of_mixed; }
    // Blocks that go at ages like the oldest's have but begun to: as many may follow.
    const bool is_beginning_to_go = e.late_deaths >= 2 && e.late_deaths >= 0.02 * e.settled;
    return e.settled_age > 0 && e.survival_low >= survival_needed && e.follow_up >= needed && !is_beginning_to_go;
}

bool is_spread(const evidence& e) noexcept {
    const unsigned least = is_few(e) ? few_generations : generations_needed;
    const double share = is_silent(e) ? silent_generations_share : generations_share;
    return e.generations >= std::max<double>(least, share * e.possible);
}

bool is_enough(const evidence& e, const site_history& site, bool is_exact) noexcept {
    if (e.settled >= samples_needed) { return true; }
    if (!is_exact) { return false; }
    if (e.settled >= few_needed && double{site.settled_bytes} >= few_bytes) { return true; }
    return e.settled >= contrast_needed && e.freed >= contrast_freed * e.settled && e.follow_up >= contrast_follow_up;
}

// Live memory rises in proportion to time although blocks are freed, and never fell; neither load nor a slowing pace explains
// it.
bool is_growing(const evidence& e, const site_history& site) noexcept {
    return site.looks >= growth_looks && e.watched >= growth_epochs && e.live >= samples_needed && e.slope_low > 0 &&
           e.doubled >= growth_doubled && e.doubled_before >= growth_doubled && e.growth_deviations >= growth_deviations &&
           e.residence_growth >= growth_above_load && e.fall <= growth_fall && e.lately >= growth_lately * e.lately_expected &&
           e.oldest >= growth_oldest * e.watched && double{site.oldest} <= growth_youngest * e.watched &&
           e.living >= generations_needed;
}

// In a healthy run the same place held as much, for as long.
bool is_expected(const evidence& e, const expectation* known) noexcept {
    return known != nullptr && known->covers(e.live_bytes);
}

judgement say(verdict_class kind, verdict_doubt doubt = verdict_doubt::none) noexcept { return {kind, doubt, false, false}; }

judgement judge_quiet(const evidence& e, const site_history& site, bool is_exact) noexcept {
    const bool is_watched = site.looks >= looks_needed;
    const bool is_kept = e.settled_age > 0 && e.settled >= 1;
    if (!is_kept) {
        if (!is_watched) { return say(verdict_class::inconclusive, verdict_doubt::too_short); }
        return say(e.freed > 0 ? verdict_class::bounded : verdict_class::steady);
    }
    const bool has_stopped = is_stopped(e) || (e.recently_expected > 0 && e.recently == 0);
    if (has_stopped && is_watched) { return say(e.freed > 0 && e.kept < 0.9 ? verdict_class::cache : verdict_class::steady); }
    if (!is_watched) { return say(verdict_class::inconclusive, verdict_doubt::too_short); }
    if (e.lateness < lateness_least) { return say(verdict_class::warmup); }
    if (!is_enough(e, site, is_exact)) { return say(verdict_class::inconclusive, verdict_doubt::too_few_samples); }
    if (e.follow_up < follow_up_needed) { return say(verdict_class::inconclusive, verdict_doubt::follow_up_short); }
    if (e.survival_low < survival_needed) { return say(verdict_class::cache); }
    return say(verdict_class::inconclusive, verdict_doubt::still_early);
}

double clamp(double value, double low, double high) noexcept { return std::min(std::max(value, low), high); }

double log2_of(double value) noexcept { return value > 0 ? std::log2(value) : -10; }

}  // namespace

judgement while_losing(judgement now) noexcept {
    const bool is_quiet = level_of(now.kind) == verdict_level::none && now.kind != verdict_class::inconclusive;
    return is_quiet ? say(verdict_class::inconclusive, verdict_doubt::records_lost) : now;
}

judgement judge_site(const evidence& e, const site_history& site, bool is_exact, const expectation* known) noexcept {
    // What was seen while every block was recorded outweighs a handful of samples.
    const bool is_held = site.live_bytes + site.aside_bytes > 0;
    const bool is_remembered = site.is_latched && !site.is_escalated && is_held && e.settled < samples_needed;
    if (is_remembered) { return say(verdict_class::inconclusive, verdict_doubt::too_few_samples); }
    if (!e.has_first_birth || e.live <= 0) {
        return site.looks < looks_needed ? say(verdict_class::inconclusive, verdict_doubt::too_short)
                                         : say(verdict_class::bounded);
    }
    if (is_expected(e, known)) { return say(verdict_class::steady); }
    const bool is_retained =
        site.looks >= looks_needed && is_enough(e, site, is_exact) && is_plateau(e) && is_linear(e, is_exact) && is_spread(e);
    if (is_growing(e, site)) { return say(verdict_class::leak_retained); }
    if (is_retained) { return {verdict_class::leak_retained, verdict_doubt::none, true, false}; }
    // What is held already is given up for a reason, not for want of proof at one look.
    if (site.kind == verdict_class::leak_retained && is_plateau(e) && e.lateness >= lateness_least && !is_stopped(e) &&
        e.recently > 0) {
        return say(verdict_class::leak_retained);
    }
    if (is_unseen(e) && e.settled >= samples_needed) {
        const bool stays = site.kind == verdict_class::leak_retained && is_plateau(e);
        return stays ? say(verdict_class::leak_retained) : say(verdict_class::inconclusive, verdict_doubt::records_lost);
    }
    judgement quiet = judge_quiet(e, site, is_exact);
    quiet.is_refuted = e.settled_age <= 0 || e.settled_share < 0.1 || is_stopped(e) || e.survival_low < survival_needed / 2;
    return quiet;
}

bool is_kept(const evidence& e) noexcept { return is_plateau(e) && e.lateness >= lateness_least; }

judgement judge_pool(const evidence& e, const pool_history& pool, double watched_ns) noexcept {
    const bool is_watched = pool.occupancy.looks >= looks_needed + 2;
    if (!is_watched) { return say(verdict_class::inconclusive, verdict_doubt::too_short); }
    const bool is_old = pool.oldest_ns == 0 || static_cast<double>(pool.oldest_ns) >= 0.3 * watched_ns;
    if (e.live >= few_needed && is_old && e.slope_low > 0 && e.doubled >= growth_doubled &&
        e.growth_deviations >= pool_deviations && e.lately >= growth_lately * e.lately_expected &&
        e.residence_growth >= growth_above_load && e.fall <= growth_fall) {
        return say(verdict_class::pool_leak);
    }
    const double capacity = static_cast<double>(pool.capacity);
    const double idle_bytes = (capacity - pool.recent_most) * static_cast<double>(pool.object_bytes);
    if (capacity >= 4 * std::max(pool.recent_most, 1.0) && idle_bytes >= few_bytes) { return say(verdict_class::pool_bloat); }
    judgement quiet = say(e.slope_low > 0 ? verdict_class::warmup : verdict_class::steady);
    quiet.is_refuted = e.slope_high <= 0;
    return quiet;
}

double discovery_bound(std::vector<float>& evidence, std::size_t tested, double share) noexcept {
    std::sort(evidence.begin(), evidence.end(), std::greater<>());
    double bound = std::numeric_limits<double>::infinity();
    const double all = static_cast<double>(std::max(tested, evidence.size()));
    for (std::size_t k = 1; k <= evidence.size(); ++k) {
        const double needed = std::log10(all / (share * static_cast<double>(k)));
        if (evidence[k - 1] >= needed) { bound = needed; }
    }
    return bound;
}

void adopt(site_history& site, const judgement& now, const judgement_settings& settings, double now_epochs) noexcept {
    const verdict_level level = level_of(now.kind);
    // A suspicion that becomes a leak goes on; the first look without one begins anew.
    const bool is_agreeing = (level_of(site.candidate) == verdict_level::none) == (level == verdict_level::none);
    site.agreeing = is_agreeing ? static_cast<std::uint8_t>(std::min(255, site.agreeing + 1)) : std::uint8_t{1};
    site.candidate = now.kind;
    const verdict_level held = level_of(site.kind);
    if (level == verdict_level::none && held != verdict_level::none) {
        if (site.is_latched && !site.is_escalated && now.doubt == verdict_doubt::too_few_samples) { return; }
        const unsigned needed = now.is_refuted ? settings.looks_to_enter : settings.looks_to_leave;
        if (site.agreeing < needed) { return; }
    } else if (level > held && site.agreeing < settings.looks_to_enter) {
        if (held == verdict_level::none) { site.kind = verdict_class::inconclusive, site.doubt = verdict_doubt::still_early; }
        return;
    } else if (level < held) {
        return;  // a leak that is only suspected today
    }
    if (site.kind != now.kind) { site.decided = static_cast<float>(now_epochs); }
    site.kind = now.kind;
    site.doubt = now.doubt;
}

score score_of(const evidence& e, const expectation* known) noexcept {
    using kind = verdict_feature_kind;
    const double generations = e.possible > 0 ? static_cast<double>(e.generations) / e.possible : 0;
    const double growth = e.slope > 0 && e.slope_high > e.slope_low ? e.slope / ((e.slope_high - e.slope_low) / 2) : 0;
    const double expected = known != nullptr && known->live_bytes > 0 ? e.live_bytes / known->live_bytes : 0;
    score s{};
    std::size_t n = 0;
    double sum = -5.5;
    const auto add = [&](kind feature, double value, double contribution) {
        s.features[n++] = {feature, value, contribution};
        sum += contribution;
    };
    add(kind::amount, e.settled, 0.6 * clamp(log2_of(e.settled / samples_needed), -4, 3));
    add(kind::plateau, e.survival_low, 5 * (e.survival_low - 0.5));
    add(kind::follow_up, e.follow_up, 0.8 * clamp(log2_of(e.follow_up / follow_up_needed), -3, 2));
    add(kind::generations, generations, 2 * (generations - 0.5));
    // Where nothing is settled, growth that doubled twice is all there is.
    const double doubled = is_kept(e) ? 0 : clamp(std::min(e.doubled, e.doubled_before), 1, 2) - 1;
    add(kind::growth, growth, 0.3 * clamp(growth, 0, 4) + doubled * clamp(e.growth_deviations, 0, 15));
    add(kind::lateness, e.lateness, 6 * (clamp(e.lateness, 0, 1.1) - 0.5));
    add(kind::per_trace, e.per_trace, 0);
    add(kind::escape, e.escaped, 0.5 * clamp(e.escaped, 0, 1));
    add(kind::hand_off, e.elsewhere, 0);
    add(kind::expectation, expected, expected == 0 ? 0 : clamp(log2_of(expected / 1.5), -4, 2));
    add(kind::persistence, e.persistence, 0.4 * clamp(e.persistence, 0, 6));
    s.confidence = 1 / (1 + std::exp(-sum));
    return s;
}

verdict_severity severity_of(verdict_class kind, double bytes, std::uint32_t depth,
                             const judgement_settings& settings) noexcept {
    if (level_of(kind) == verdict_level::none) { return verdict_severity::none; }
    const bool is_shallow = depth != 0 && depth <= settings.shallow_depth;
    if (bytes > static_cast<double>(settings.critical_bytes)) { return verdict_severity::critical; }
    if (is_shallow && bytes > static_cast<double>(settings.shallow_bytes)) { return verdict_severity::critical; }
    return bytes > static_cast<double>(settings.warning_bytes) ? verdict_severity::warning : verdict_severity::info;
}

}  // namespace v1
}  // namespace memwatch
