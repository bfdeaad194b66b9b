// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the engine keeps of a site: survivors by group of births, deaths by age, and the few sums that a judgement needs. Plain
// numbers, no pointers, at most 400 bytes. Amounts are objects where every block is known (preset full, an escalated site),
// else weighted bytes; `unit` turns them into samples, which is what uncertainty is made of.
//
//   group of births   [0..20] [20..40] [40..50] [50..60] s      birth_groups, the same for all sites
//   born                 400      410      200      190
//   alive                 40       41       19       60         a tenth stays, the youngest are still on their way
//   live at its start      0       70      110      130
//
//   age in epochs       <1   1..2   2..4   4..8   8..16 ...     of blocks that were alive at the last look
//   exposure           300    150    250    300    200          amount x epochs that were watched (decayed)
//   deaths             290      9      1      0      0          what of them died (decayed): all who die are dead by age 4

#include <cstdint>
#include <type_traits>

#include <memwatch/model/verdict.hpp>
#include "verdict/birth_groups.hpp"

namespace memwatch {
inline namespace v1 {

struct site_history {
    static constexpr std::size_t ages = 10;  // < 1 epoch, < 2, < 4 ... < 256, above

    float alive[birth_groups::capacity];
    float born[birth_groups::capacity];
    float live_at[birth_groups::capacity];
    float exposure[ages];
    float deaths[ages];
    double allocated;     // amount, since the session's start, at the last look
    float decided;        // when `kind` was adopted, in epochs since time 0
    float oldest;         // age of the oldest block alive at this look, in epochs; below 0: nothing is
    float fresh;          // born since the last look
    float unit;           // amount that one sample stands for; 0 before there was one
    float freed_objects;  // since the session's start
    float freed_elsewhere_objects;
    float live_bytes;  // estimated, at this look
    float live_objects;
    float live_samples;
    float settled_bytes;  // of these, of blocks older than settled_age
    float settled_objects;
    float aside_bytes;  // settled, too, but no evidence: drawn while it is escalated, recorded when it no longer is
    float aside_objects;
    float aside_oldest;     // age in epochs of the oldest of these
    float aged_bytes;       // older than two epochs, evidence
    float beside_bytes;     // as old, and of the time that this history is of, but aside
    float beside_variance;  // of that estimate
    float rate_before;      // bytes kept an epoch, and its error, when escalation began or ended: until this history can tell
    float rate_before_error;
    float young_samples;  // seen alive for the first time, decayed
    float young_traced;   // those of them that were born in a trace, decayed
    float escaped;        // amount alive that was born in a trace, three epochs ago and more
    float pace;           // natural log of the e-value against "births become fewer"
    float persistence;    // natural log of the e-value against "old blocks are still being freed"
    float peak;           // the most that was ever live
    float fall;           // the largest share of a peak that went again
    float began;          // when anything was first born, in epochs since time 0
    float renewed;        // when this history began: later, if escalation began or ended since
    float latched;  // blocks recorded one by one, and settled, when escalation ended: as long as they stay, so does the verdict
    std::uint32_t looks;        // since anything was born
    std::uint8_t depth;         // frames of its stack
    std::uint8_t settled_cell;  // settled_age(), as judged at the last look
    verdict_class kind;         // adopted
    verdict_class candidate;    // of the last look
    verdict_doubt doubt;
    std::uint8_t agreeing;         // looks in a row with this candidate
    bool is_escalated : 1;         // only blocks that stand for themselves count (engine: since when)
    bool is_latched : 1;           // accused while it was escalated: too little to see no longer clears it
    bool is_partial : 1;           // escalated, and it has had more births than were recorded
    bool is_unsure_of_births : 1;  // escalation began or ended: what was born before is not counted

    // In epochs: deaths end before it. 0 = they do not, or nobody has judged.
    [[nodiscard]] double settled_age() const noexcept {
        return settled_cell == 0 ? 0 : static_cast<double>(1U << (settled_cell - 1U));
    }
};
static_assert(std::is_trivially_copyable_v<site_history>);

// Its births follow the traces that end, then, rather than time.
[[nodiscard]] inline bool is_mostly_traced(const site_history& site) noexcept {
    return site.young_samples > 0 && site.young_traced >= 0.4F * site.young_samples;
}

static_assert(sizeof(site_history) <= 400, "the budget of a site");

// What the same place held in a healthy run of this program or the build before. Estimates.
struct expectation {
    double live_bytes{};    // at the end of that run
    double oldest_age_s{};  // of what was alive
    double run_s{};         // how long it ran

    // As much as then, and half as much again: one run is not like another to the byte.
    [[nodiscard]] bool covers(double bytes) const noexcept { return bytes <= 1.5 * live_bytes; }
};

}  // namespace v1
}  // namespace memwatch
