// SPDX-License-Identifier: Apache-2.0
#pragma once
// The statistics of one site, from its history. Pure functions of numbers: no class is decided here (judgement.hpp). Ages and
// times in epochs, amounts in samples (objects where all are known) unless a name says bytes. docs/verdicts.md has the
// formulas.

#include <cstdint>

#include "verdict/site_history.hpp"

namespace memwatch {
inline namespace v1 {

// What is the same for all sites at a look.
struct look_context {
    const birth_groups& groups;
    const float* traces;  // completed, by group; all 0: no traces
    double epoch_ns;
    std::uint64_t now_ns;
};

struct evidence {
    double live{};  // samples alive
    double live_bytes{};
    double born{};       // samples since the first birth
    double at_work{};    // epochs since the engine began to look
    double watched{};    // epochs since the first birth
    double known_for{};  // epochs; longer than watched, when the site's history began anew with escalation
    double oldest{};     // age of the oldest group with anything alive
    bool has_first_birth{};

    // Deaths end at this age, but for a twelfth at most; what is older is settled.
    double settled_age{};
    double settled{};        // samples
    double settled_share{};  // of what is alive
    double follow_up{};      // oldest over settled_age
    double loss{};           // cumulative hazard beyond settled_age
    double late_deaths{};    // samples: its blocks have begun to die only lately, at ages like that of the oldest
    double aged_deaths{};    // samples that died at an age of an epoch and more
    double survival_low{};   // P(alive at the oldest age | alive at settled_age), lower 95 % bound
    double kept{};           // of what was born in settled groups
    double kept_low{};
    double kept_high{};
    unsigned generations{};  // settled groups with anything alive
    unsigned possible{};     // settled groups since then
    unsigned living{};       // groups with anything alive, settled or not

    double kept_for{};           // epochs since what is settled began to be kept; rates count from there
    double lateness{};           // rate of retention in the last third over the rate before; 1 = linear
    double lateness_error{};     // one standard error
    double recently{};           // rate in the last sixth over the mean rate
    double recently_expected{};  // samples that the mean rate would have kept there
    double retained_rate{};      // samples an epoch
    double retained_rate_error{};
    double retained_over{};  // epochs that they were taken from
    double coarseness{1};    // what a sample would stand for that is drawn now, over the mean of those alive; at least 1

    double slope{};  // Theil-Sen, samples an epoch, of what is live
    double slope_low{};
    double slope_high{};
    double pace{};     // natural log of the e-value against "births become fewer"
    double doubled{};  // live now over live half the time ago, and that over a quarter's: 2 each when it is linear
    double doubled_before{};
    double growth_deviations{};  // of live now from live half the time ago, in standard deviations of a Poisson count
    double lately{};             // growth in the last eighth of the time watched, and what it would be if it was even
    double lately_expected{};
    double residence_growth{};  // (live / birth rate) now over the same half the time ago: above 1, load does not explain it
    double fall{};              // the largest share of a peak that went again

    double per_trace{};     // amount of growth a completed trace
    bool is_of_requests{};  // most of what is born there is born in traces
    double escaped{};       // share of what was born in a trace and is alive epochs later
    double elsewhere{};     // share of frees by another thread
    double freed{};         // objects
    double persistence{};   // log10 of the e-value
};

// Age at which deaths end: the least power of two (epochs, from 2) beyond which at most a twelfth of what gets there dies, by
// the decayed hazards; 0 when there is none. `loss`: the cumulative hazard beyond it, with its variance.
struct settlement {
    double age{};
    double loss{};
    double loss_variance{};
    double late_deaths{};  // samples that died beyond a quarter of the oldest age, if they die there more than before; else 0
};
[[nodiscard]] settlement settlement_of(const site_history& site, double oldest_epochs) noexcept;

[[nodiscard]] evidence gather_evidence(const site_history& site, const look_context& at) noexcept;

}  // namespace v1
}  // namespace memwatch
