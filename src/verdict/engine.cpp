// SPDX-License-Identifier: Apache-2.0
#include "verdict/engine.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <memwatch/model/weight.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

// A request has ended by then, most likely: what is alive of it has outlived it.
constexpr double escape_epochs = 3;
// A look this close to the one before (in epochs) is more of the same: the last one of a process, for one. Where all come so
// close together, an epoch is full all the same.
constexpr double least_distance = 0.5;
// What is no evidence is told as kept from this age on.
constexpr double aside_epochs = 2;
constexpr double two_sided_95 = 1.96;  // of the normal distribution
// What is known of the ages at which blocks die is kept for long, or each period of a batch would be news: 11 h of looks at 10
// s. (Forgetting at all keeps the sums within a float's precision.) What traces say of births may change with the load.
constexpr double death_memory = 4096;
constexpr double trace_memory = 64;

// Bytes or objects beyond an exabyte are no measurement: a dump may hold any number, and their products must stay numbers.
double plausible(double amount) noexcept { return std::clamp(amount, 0.0, 1e18); }

double ratio(std::uint64_t time_ns, std::uint64_t epoch_ns) noexcept {
    return static_cast<double>(time_ns) / static_cast<double>(epoch_ns);
}

std::uint64_t in_ns(float epochs, std::uint64_t epoch_ns) noexcept {
    constexpr double most_ns = 9e18;  // a dump may say any time
    return static_cast<std::uint64_t>(std::min(most_ns, double{epochs} * static_cast<double>(epoch_ns)));
}

double sample_bytes_of(const site_history& site, const evidence& e) noexcept {
    if (e.settled > 0) { return double{site.settled_bytes} / e.settled; }
    return e.live > 0 ? e.live_bytes / e.live : 0;
}

// What is kept over what of it counts as evidence.
double whole_of(const site_history& site) noexcept {
    return site.aged_bytes > 0 ? 1 + double{site.beside_bytes} / double{site.aged_bytes} : 1;
}

void merge_groups(site_history& site, std::size_t i, std::size_t count) noexcept {
    site.alive[i + 1] += site.alive[i];
    site.born[i + 1] += site.born[i];
    site.live_at[i + 1] = site.live_at[i];
    for (std::size_t k = i; k + 1 < count; ++k) {
        site.alive[k] = site.alive[k + 1];
        site.born[k] = site.born[k + 1];
        site.live_at[k] = site.live_at[k + 1];
    }
}

float live_of(const site_history& site, std::size_t count) noexcept {
    float sum = 0;
    for (std::size_t g = 0; g < count; ++g) { sum += site.alive[g]; }
    return sum;
}

// The youngest group begins: what is alive now is live at its start.
void begin_group(site_history& site, std::size_t count) noexcept {
    const float live = live_of(site, count - 1);
    site.alive[count - 1] = 0;
    site.born[count - 1] = 0;
    site.live_at[count - 1] = live;
}

std::size_t age_cell(double epochs) noexcept {
    if (epochs < 1) { return 0; }
    return std::min(site_history::ages - 1, static_cast<std::size_t>(std::ilogb(epochs)) + 1);
}

void note_peak(site_history& site, float live) noexcept {
    site.peak = std::max(site.peak, live);
    if (site.peak >= 25 * site.unit) { site.fall = std::max(site.fall, 1 - live / site.peak); }
}

// What was accused while its blocks were recorded one by one stays so as long as they do.
void check_latch(site_history& site) noexcept {
    if (!site.is_latched || site.is_escalated) { return; }
    site.latched = std::max(site.latched, site.aside_objects);
    if (site.aside_objects > 0.8F * site.latched) { return; }
    site.is_latched = false;
    site.kind = verdict_class::inconclusive;
    site.doubt = verdict_doubt::still_early;
}

void forget(site_history& site) noexcept {
    const auto of_deaths = static_cast<float>(std::exp(-1 / death_memory));
    const auto of_traces = static_cast<float>(std::exp(-1 / trace_memory));
    for (std::size_t cell = 0; cell < site_history::ages; ++cell) {
        site.exposure[cell] *= of_deaths;
        site.deaths[cell] *= of_deaths;
    }
    site.young_samples *= of_traces;
    site.young_traced *= of_traces;
}

// One factor of the e-value: blocks of this age die with hazard 2/age or more (as in a tail that has a variance), against a
// tenth of that. Linear in the share that died, so its mean under the hypothesis is at most 1, however the deaths within a
// group depend.
double log_factor(double died_share, double epochs, double age) noexcept {
    const double h0 = std::min(0.75, 2 * epochs / age);
    const double h1 = h0 / 10;
    return std::log((1 - died_share) * (1 - h1) / (1 - h0) + died_share * h1 / h0);
}

// One factor of the e-value against "births become fewer": that `born` now has a mean of at most `slowing` times `expected`,
// which is the mean pace so far. A Poisson likelihood ratio, whose mean under the hypothesis is at most 1; to a power below 1
// where births are many, for they come in bunches.
constexpr double slowing = 0.65;
constexpr double pace_samples = 12;  // an epoch counts for so many at most
constexpr double most_pace = 0.8;    // of a look: a bunch, as of a pool that reaches a new high, is one event
constexpr double least_pace = -3;    // what was born at the start is not held against the site for ever
double pace_factor(double born, double expected) noexcept {
    const double factor = std::min(1.0, pace_samples / expected) * (born * std::log(1 / slowing) - (1 - slowing) * expected);
    return std::min(factor, most_pace);
}

}  // namespace

engine::engine(const engine_settings& settings) : settings_(settings) {}

void engine::reset() noexcept {
    groups_.clear();
    sites_.clear();
    pools_.clear();
    looks_ = 0;
    is_unsure_of_births_ = true;
}

void engine::begin_look(const look& now) {
    if (looks_ != 0 && now.is_exact != now_.is_exact) { reset(); }
    const bool is_first = looks_ == 0;
    sites_.reserve(now.sites);
    alive_.reserve(std::size_t{now.sites} * birth_groups::capacity);
    lost_before_ = is_first ? now.lost_records : now_.lost_records;
    last_ns_ = is_first ? (is_unsure_of_births_ ? now.time_ns : 0) : now_.time_ns;
    now_ = now;
    now_.time_ns = std::max(now.time_ns, last_ns_);
    sites_.resize(std::max<std::size_t>(sites_.size(), now.sites));
    alive_.assign(sites_.size() * birth_groups::capacity, 0.0F);
    if (is_first) {
        groups_.clear();
        groups_.set_origin(last_ns_);
    }
    move_groups();
    for (site_history& site : sites_) {
        site.fresh = 0;
        site.live_bytes = site.live_objects = site.live_samples = site.settled_bytes = site.settled_objects = 0;
        site.aside_bytes = site.aside_objects = site.aside_oldest = 0;
        site.aged_bytes = site.beside_bytes = site.beside_variance = 0;
        site.escaped = 0;
        site.oldest = -1;
    }
}

void engine::move_groups() {
    is_new_group_ = groups_.size() == 0 || ratio(now_.time_ns - last_ns_, settings_.epoch_ns) >= least_distance ||
                    ratio(now_.time_ns - groups_.start(groups_.size() - 1), settings_.epoch_ns) >= 1 + least_distance;
    const auto each = [&](auto&& change) {
        for (site_history& site : sites_) { change(site); }
        for (pool_history& pool : pools_) { change(pool.occupancy); }
    };
    if (!is_new_group_) {
        groups_.extend(now_.time_ns);
    } else {
        if (const std::size_t i = groups_.crowded(last_ns_); i != birth_groups::none) {
            each([&](site_history& site) { merge_groups(site, i, groups_.size()); });
            traces_[i + 1] += traces_[i];
            std::copy(traces_ + i + 1, traces_ + groups_.size(), traces_ + i);
            groups_.merge(i);
        }
        groups_.append(now_.time_ns);
        traces_[groups_.size() - 1] = 0;
        each([&](site_history& site) { begin_group(site, groups_.size()); });
    }
    const std::uint64_t completed = std::max(now_.completed_traces, completed_traces_);
    if (looks_ != 0 || !is_unsure_of_births_) {
        traces_[groups_.size() - 1] += static_cast<float>(completed - completed_traces_);
    }
    completed_traces_ = completed;
}

void engine::count_block(std::uint32_t number, const alive_block& block) noexcept {
    if (number >= sites_.size()) { return; }
    site_history& site = sites_[number];
    const bool counts_objects = now_.is_exact || site.is_escalated;
    const double objects = 1 / sampling_probability(block.size_bytes, block.interval_bytes);
    const double bytes = static_cast<double>(block.size_bytes) * objects;
    // Weights of 1 and of thousands make no sum that says how many samples there are: one kind counts at a time.
    const bool stands_for_itself = block.interval_bytes == 0;
    const bool is_other_kind = !now_.is_exact && stands_for_itself != site.is_escalated;
    const bool is_old = is_of_old(number, site, block.birth_ns);
    if (is_other_kind || is_old) {
        if (is_other_kind || site.is_escalated) { set_aside(site, block, is_other_kind && !is_old); }
        return;
    }
    const float amount = static_cast<float>(counts_objects ? objects : bytes);
    const std::size_t group = groups_.of(block.birth_ns);
    alive_[number * birth_groups::capacity + group] += amount;
    site.live_bytes += static_cast<float>(bytes);
    site.live_objects += static_cast<float>(objects);
    site.live_samples += 1;
    const std::uint64_t age_ns = now_.time_ns > block.birth_ns ? now_.time_ns - block.birth_ns : 0;
    const double age = ratio(age_ns, settings_.epoch_ns);
    site.oldest = std::max(site.oldest, static_cast<float>(age));
    if (age >= aside_epochs) { site.aged_bytes += static_cast<float>(bytes); }
    if (age >= std::max(2.0, site.settled_age())) {
        site.settled_bytes += static_cast<float>(bytes);
        site.settled_objects += static_cast<float>(objects);
    }
    if (block.is_traced && age >= escape_epochs) { site.escaped += amount; }
    if (group + 1 == groups_.size()) {
        site.young_samples += 1;
        site.young_traced += block.is_traced ? 1.0F : 0.0F;
    }
}

// Kept, too, but no evidence. An escalated site may have more births than it has pages: the rest are drawn as ever, lie here,
// and have grown as fast as those that count.
void engine::set_aside(site_history& site, const alive_block& block, bool is_of_this_history) const noexcept {
    if (now_.time_ns < block.birth_ns) { return; }
    const double age = ratio(now_.time_ns - block.birth_ns, settings_.epoch_ns);
    if (age < aside_epochs) { return; }
    const double probability = sampling_probability(block.size_bytes, block.interval_bytes);
    const double bytes = static_cast<double>(block.size_bytes) / probability;
    site.aside_bytes += static_cast<float>(bytes);
    site.aside_objects += static_cast<float>(1 / probability);
    site.aside_oldest = std::max(site.aside_oldest, static_cast<float>(age));
    if (!is_of_this_history) { return; }
    site.beside_bytes += static_cast<float>(bytes);
    site.beside_variance += static_cast<float>(bytes * bytes * (1 - probability));
}

// Born before births were counted.
bool engine::is_of_old(std::uint32_t number, const site_history& site, std::uint64_t birth_ns) const noexcept {
    if (is_unsure_of_births_ && birth_ns <= groups_.start(0)) { return true; }
    if (!site.is_escalated) { return false; }
    const auto since = escalated_.find(number);
    return since != escalated_.end() && birth_ns < since->second;
}

void engine::count_site(std::uint32_t number, const site_totals& totals) noexcept {
    if (number >= sites_.size()) { return; }
    site_history& site = sites_[number];
    const bool counts_objects = now_.is_exact || site.is_escalated;
    const double allocated = plausible(counts_objects ? totals.allocated.objects : totals.allocated.bytes);
    const bool is_sure = !site.is_unsure_of_births && (looks_ != 0 || !is_unsure_of_births_);
    if (is_sure && allocated > site.allocated) { site.fresh = static_cast<float>(allocated - site.allocated); }
    site.is_unsure_of_births = false;
    site.is_partial = totals.is_partial;
    site.allocated = allocated;
    if (site.live_samples > 0) { site.unit = (counts_objects ? site.live_objects : site.live_bytes) / site.live_samples; }
    site.freed_objects = static_cast<float>(plausible(totals.freed.objects));
    site.freed_elsewhere_objects = static_cast<float>(plausible(totals.freed_by_other_thread.objects));
    site.depth = static_cast<std::uint8_t>(std::min<std::uint32_t>(totals.depth, 0xFF));
}

void engine::count_pool(std::uint32_t row, const pool_totals& totals) {
    const bool is_known = row < pools_.size();
    if (!is_known) { pools_.resize(row + 1, pool_history{}); }
    pool_history& pool = pools_[row];
    site_history& site = pool.occupancy;
    const std::size_t last = groups_.size() - 1;
    const double acquired = static_cast<double>(totals.acquires);
    site.unit = 1;
    site.fresh = static_cast<float>(std::max(0.0, acquired - site.allocated));
    site.allocated = acquired;
    site.born[last] += site.fresh;
    std::fill(site.alive, site.alive + last, 0.0F);
    site.alive[last] = static_cast<float>(totals.in_use);
    note_peak(site, site.alive[last]);
    site.freed_objects = static_cast<float>(totals.acquires - std::min(totals.acquires, totals.in_use));
    site.live_objects = site.settled_objects = static_cast<float>(totals.in_use);
    site.live_bytes = site.settled_bytes = static_cast<float>(totals.in_use * totals.object_bytes);
    site.looks += site.allocated > 0 && is_new_group_ ? 1 : 0;
    pool.capacity = totals.capacity;
    pool.object_bytes = totals.object_bytes;
    pool.oldest_ns = totals.oldest_checkout_ns;
    pool.failures = totals.acquire_failures;
    pool.recent_most = std::max(static_cast<double>(totals.in_use), pool.recent_most * 0.98);
}

void engine::move_history(site_history& site, const float* alive) noexcept {
    const std::size_t count = groups_.size();
    const double epochs = ratio(now_.time_ns - last_ns_, settings_.epoch_ns);
    if (site.looks == 0 && site.fresh > 0 && site.began == 0) {
        site.began = site.renewed = static_cast<float>(ratio(last_ns_, settings_.epoch_ns));
    }
    if (is_new_group_ && (site.looks != 0 || site.fresh > 0)) { ++site.looks; }
    if (site.unit <= 0) { return; }
    if (is_new_group_) { forget(site); }
    double persistence = site.persistence;
    for (std::size_t g = 0; g < count; ++g) {
        const float born = g + 1 == count ? site.fresh : 0;
        const float before = site.alive[g] + born;
        const float died = std::max(0.0F, before - alive[g]);
        const std::uint64_t middle = groups_.start(g) + (groups_.end(g) - groups_.start(g)) / 2;
        const double age = last_ns_ > middle ? ratio(last_ns_ - middle, settings_.epoch_ns) : 0;
        const std::size_t cell = age_cell(age);
        const double watched = born > 0 ? epochs / 2 : epochs;
        site.exposure[cell] += static_cast<float>((before + std::min(before, alive[g])) / 2 * watched);
        site.deaths[cell] += died;
        if (age >= std::max(2.0, site.settled_age()) && before >= site.unit / 2 && epochs > 0) {
            persistence += log_factor(died / before, epochs, age);
        }
        site.alive[g] = alive[g];
    }
    move_pace(site, epochs);
    check_latch(site);
    site.born[count - 1] += site.fresh;
    note_peak(site, live_of(site, count));
    site.persistence = std::isnan(persistence) ? 0.0F : static_cast<float>(std::clamp(persistence, 0.0, 100.0));
}

void engine::move_pace(site_history& site, double epochs) const noexcept {
    const std::size_t last = groups_.size() - 1;
    double born = 0;
    double completed = 0;
    for (std::size_t g = 0; g < last; ++g) {
        born += double{site.born[g]};
        completed += born > 0 ? double{traces_[g]} : 0;
    }
    born /= double{site.unit};
    const double watched = ratio(last_ns_, settings_.epoch_ns) - double{site.renewed};  // before this look
    if (born < 5 || site.looks < 3 || watched <= 0 || epochs <= 0 || !is_new_group_) { return; }
    const bool is_by_traces = is_mostly_traced(site) && completed >= 100;
    const double load = is_by_traces ? double{traces_[last]} / completed : epochs / watched;
    const double moved = double{site.pace} + pace_factor(double{site.fresh} / double{site.unit}, std::max(1e-6, born * load));
    site.pace = static_cast<float>(std::clamp(moved, least_pace, 100.0));
}

void engine::end_look() {
    for (std::size_t i = 0; i < sites_.size(); ++i) { move_history(sites_[i], &alive_[i * birth_groups::capacity]); }
    ++looks_;
    judge_sites();
    for (pool_history& pool : pools_) {
        const double watched_ns = static_cast<double>(now_.time_ns - groups_.start(0));
        adopt(pool.occupancy, judge_pool(evidence_of(pool.occupancy), pool, watched_ns), settings_.judgement,
              ratio(now_.time_ns, settings_.epoch_ns));
    }
}

evidence engine::evidence_of(const site_history& site) const noexcept {
    evidence e = gather_evidence(site, {groups_, traces_, static_cast<double>(settings_.epoch_ns), now_.time_ns});
    e.coarseness = coarseness_of(site);
    return e;
}

// Large blocks waste no page that counts: R is raised for small ones alone.
double engine::coarseness_of(const site_history& site) const noexcept {
    if (site.is_escalated || site.unit <= 0 || site.live_objects <= 0) { return 1; }
    const double size = double{site.live_bytes} / double{site.live_objects};
    return std::max(1.0, sample_drawn_now(site) / (now_.is_exact ? size : 1) / double{site.unit});
}

// Bytes that one would stand for; 0: not known.
double engine::sample_drawn_now(const site_history& site) const noexcept {
    constexpr double page_bytes = 4096;
    const double size = site.live_objects > 0 ? double{site.live_bytes} / double{site.live_objects} : 0;
    const std::uint64_t interval = size < page_bytes ? now_.small_interval_bytes : now_.interval_bytes;
    if (size <= 0 || interval == 0) { return 0; }
    if (interval == look::no_interval) { return std::numeric_limits<double>::infinity(); }
    return size / sampling_probability(static_cast<std::uint64_t>(size), interval);
}

const expectation* engine::expectation_of(std::uint32_t site) const noexcept {
    const auto known = expected_.find(site);
    return known == expected_.end() ? nullptr : &known->second;
}

// In preset full, too, a site may have estimated blocks: of tracked allocators, once page edges are scarce. And a sampled one
// has none where its blocks are so large that each is a sample.
bool engine::is_exact(const site_history& site) const noexcept {
    return site.live_samples > 0 && site.live_objects <= 1.01F * site.live_samples;
}

// A twentieth of what was born since the last look.
bool engine::is_losing() const noexcept {
    const std::uint64_t lost = now_.lost_records > lost_before_ ? now_.lost_records - lost_before_ : 0;
    if (lost == 0) { return false; }
    double born = 0;
    for (const site_history& site : sites_) { born += site.unit > 0 ? double{site.fresh} / double{site.unit} : 0; }
    return static_cast<double>(lost) >= 0.05 * (born + static_cast<double>(lost));
}

void engine::judge_sites() {
    const bool is_blind = is_losing();
    std::vector<judgement> judged(sites_.size());
    std::vector<float> candidates;
    std::size_t tested = 0;
    for (std::uint32_t i = 0; i < sites_.size(); ++i) {
        site_history& site = sites_[i];
        if (site.looks == 0) { continue; }
        if (site.live_objects <= 0) {  // nothing to gather
            judged[i] = judge_site({}, site, is_exact(site), nullptr);
            continue;
        }
        const evidence e = evidence_of(site);
        settle(site, e);
        judged[i] = judge_site(e, site, is_exact(site), expectation_of(i));
        tested += e.live >= 8 ? 1 : 0;
        if (judged[i].needs_evidence) { candidates.push_back(site.persistence); }
    }
    for (float& e : candidates) { e /= static_cast<float>(std::log(10.0)); }
    const double bound = discovery_bound(candidates, tested, settings_.judgement.false_discoveries);
    for (std::uint32_t i = 0; i < sites_.size(); ++i) {
        site_history& site = sites_[i];
        if (site.looks == 0) { continue; }
        if (judged[i].needs_evidence && site.persistence / std::log(10.0) < bound) {
            judged[i].kind = verdict_class::suspect_growth;
        }
        adopt(site, is_blind ? while_losing(judged[i]) : judged[i], settings_.judgement,
              ratio(now_.time_ns, settings_.epoch_ns));
    }
}

// Blocks were counted as settled by the age of the look before. Where that has changed by now, groups of births say how much is
// older than the new one.
void engine::settle(site_history& site, const evidence& e) const noexcept {
    const double counted_from = std::max(2.0, site.settled_age());
    site.settled_cell = static_cast<std::uint8_t>(e.settled_age < 1 ? 0 : std::ilogb(e.settled_age) + 1);
    if (e.settled_age < 1 || std::max(2.0, site.settled_age()) == counted_from || e.live <= 0) { return; }
    const double share = std::min(1.0, e.settled / e.live);
    site.settled_bytes = static_cast<float>(share * double{site.live_bytes});
    site.settled_objects = static_cast<float>(share * double{site.live_objects});
}

void engine::set_escalated(std::uint32_t number, bool is_on, std::uint64_t time_ns) noexcept {
    if (number >= sites_.size()) { return; }
    site_history& site = sites_[number];
    if (site.is_escalated == is_on) { return; }
    site_history fresh{};
    // What is said of it until the next look.
    const growth before = growth_of(site, evidence_of(site));
    fresh.rate_before = static_cast<float>(before.rate);
    fresh.rate_before_error = static_cast<float>(before.error);
    fresh.aside_bytes = site.settled_bytes + site.aside_bytes;
    fresh.aside_objects = site.settled_objects + site.aside_objects;
    fresh.aside_oldest = std::max(site.oldest, site.aside_oldest);
    fresh.kind = site.kind;
    fresh.candidate = site.candidate;
    fresh.doubt = site.doubt;
    fresh.agreeing = site.agreeing;
    fresh.decided = site.decided;
    fresh.depth = site.depth;
    fresh.pace = site.pace;
    fresh.began = site.began;
    fresh.renewed = static_cast<float>(ratio(time_ns, settings_.epoch_ns));
    fresh.looks = std::min(site.looks, 1U);  // it stays among the verdicts
    fresh.is_escalated = is_on;
    fresh.is_latched = level_of(site.kind) != verdict_level::none;
    fresh.is_unsure_of_births = true;
    site = fresh;
    if (!is_on) {
        escalated_.erase(number);
        return;
    }
    try {
        escalated_[number] = time_ns;
    } catch (...) {}  // no memory: blocks of a term before count, too
}

void engine::set_expectation(std::uint32_t site, const expectation& known) { expected_[site] = known; }

// Where there was no room for most blocks and hardly any sample has come of them since, the share that was recorded is not
// known. All that is kept, over all the time, says more. No rate: enough samples have come.
engine::growth engine::growth_by_samples(const site_history& site) const noexcept {
    constexpr double few = 8;
    const double over = std::max(double{site.oldest}, double{site.aside_oldest}) - aside_epochs;
    const double sample = sample_drawn_now(site);
    if (over <= 0 || sample <= 0 || !std::isfinite(sample) || double{site.beside_bytes} >= few * sample) { return {0, 0}; }
    const double kept = double{site.aged_bytes} + double{site.aside_bytes};
    return {kept / over, two_sided_95 * std::sqrt((kept / sample + 1)) * sample / over};
}

engine::growth engine::growth_of(const site_history& site, const evidence& e) const noexcept {
    constexpr double short_epochs = 8;  // a history as young as that
    const double sample_bytes = sample_bytes_of(site, e);
    const double whole = whole_of(site);
    const bool is_of_kept = is_kept(e);
    const growth own{(is_of_kept ? e.retained_rate : e.slope) * sample_bytes * whole,
                     (is_of_kept ? e.retained_rate_error : (e.slope_high - e.slope_low) / 2) * sample_bytes * whole};
    const double known_for = ratio(now_.time_ns, settings_.epoch_ns) - double{site.renewed};
    if (own.rate == 0 && known_for < short_epochs) { return {double{site.rate_before}, double{site.rate_before_error}}; }
    if (site.is_partial) {
        if (const auto [rate, error] = growth_by_samples(site); rate > 0) { return {rate, error}; }
    }
    if (!is_of_kept || e.retained_over <= 0) { return own; }
    const double of_beside = two_sided_95 * std::sqrt(double{site.beside_variance}) / e.retained_over;
    return {own.rate, std::hypot(e.retained_rate_error * sample_bytes, of_beside)};
}

verdict engine::describe(const site_history& site, const evidence& e, const expectation* known) const {
    const double epoch_s = static_cast<double>(settings_.epoch_ns) * 1e-9;
    verdict v;
    v.kind = site.kind;
    v.doubt = site.kind == verdict_class::inconclusive ? site.doubt : verdict_doubt::none;
    v.severity = severity_of(site.kind, double{site.live_bytes} + double{site.aside_bytes}, site.depth, settings_.judgement);
    v.is_exact = is_exact(site) && site.aside_objects == 0;
    const score scored = score_of(e, known);
    const bool is_plain = site.kind == verdict_class::steady || site.kind == verdict_class::bounded;
    if (!is_plain) { v.features.assign(scored.features.begin(), scored.features.end()); }
    v.confidence = scored.confidence;
    v.decided_ns = in_ns(site.decided, settings_.epoch_ns);
    v.looks = site.looks;
    v.generations = e.generations;
    // Also of blocks that are no evidence.
    v.retained_bytes = double{is_kept(e) ? site.settled_bytes : site.live_bytes} + double{site.aside_bytes};
    v.retained_objects = double{is_kept(e) ? site.settled_objects : site.live_objects} + double{site.aside_objects};
    const growth grows = growth_of(site, e);
    v.rate_bytes_per_second = grows.rate / epoch_s;
    v.rate_error = grows.error / epoch_s;
    const float oldest = std::max({0.0F, site.oldest, site.aside_oldest});
    v.since_ns = now_.time_ns - std::min(now_.time_ns, in_ns(oldest, settings_.epoch_ns));
    v.kept_share = e.kept;
    v.kept_share_low = e.kept_low;
    v.kept_share_high = e.kept_high;
    v.freed_objects = e.freed;
    v.follow_up = e.follow_up;
    const bool counts_objects = now_.is_exact || site.is_escalated;
    v.bytes_per_trace = e.per_trace * (counts_objects ? sample_bytes_of(site, e) : 1) * whole_of(site);
    v.escaped_share = e.escaped;
    v.other_thread_share = e.elsewhere;
    return v;
}

verdict engine::verdict_of(verdict_subject subject, std::uint32_t index) const {
    verdict said;
    if (subject == verdict_subject::site && index < sites_.size()) {
        said = describe(sites_[index], evidence_of(sites_[index]), expectation_of(index));
    } else if (subject == verdict_subject::pool && index < pools_.size()) {
        const pool_history& pool = pools_[index];
        said = describe(pool.occupancy, evidence_of(pool.occupancy), nullptr);
        said.is_exact = true;
        if (pool.oldest_ns != 0) { said.since_ns = now_.time_ns - std::min(now_.time_ns, pool.oldest_ns); }
    }
    said.subject = subject;
    said.index = index;
    return said;
}

std::vector<verdict> engine::verdicts(verdict_level least) const {
    std::vector<verdict> all;
    if (looks_ == 0) { return all; }
    const auto add = [&](const site_history& site, verdict_subject subject, std::uint32_t index) {
        if (site.looks != 0 && level_of(site.kind) >= least) { all.push_back(verdict_of(subject, index)); }
    };
    for (std::uint32_t i = 0; i < sites_.size(); ++i) { add(sites_[i], verdict_subject::site, i); }
    for (std::uint32_t i = 0; i < pools_.size(); ++i) { add(pools_[i].occupancy, verdict_subject::pool, i); }
    return all;
}

std::vector<std::uint32_t> engine::wishes(std::size_t most) const {
    std::vector<std::pair<double, std::uint32_t>> wanted;
    for (std::uint32_t i = 0; i < sites_.size(); ++i) {
        const site_history& site = sites_[i];
        if (now_.is_exact || site.is_escalated || site.doubt != verdict_doubt::too_few_samples ||
            level_of(site.kind) != verdict_level::none) {
            continue;
        }
        const evidence e = evidence_of(site);
        if (e.settled >= 2 && e.survival_low > 0) { wanted.emplace_back(e.settled, i); }
    }
    std::sort(wanted.begin(), wanted.end(),
              [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
    std::vector<std::uint32_t> sites;
    for (std::size_t i = 0; i < std::min(most, wanted.size()); ++i) { sites.push_back(wanted[i].second); }
    return sites;
}

std::size_t engine::self_bytes() const noexcept {
    return sizeof(*this) + sites_.capacity() * sizeof(site_history) + alive_.capacity() * sizeof(float) +
           pools_.capacity() * sizeof(pool_history) + expected_.size() * (sizeof(expectation) + 4 * sizeof(void*));
}

}  // namespace v1
}  // namespace memwatch
