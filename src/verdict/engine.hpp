// SPDX-License-Identifier: Apache-2.0
#pragma once
// The engine: what is alive, looked at once an epoch, becomes a verdict for each site and pool. It keeps no block: of a site it
// keeps how many of each group of births are alive, and how many of each age died (site_history.hpp), in at most 400 bytes.
//
//   begin_look(look)            time, how many sites there are
//   count_block(site, block)    each live sample, in any order               [no allocation: called under the live table's
//   locks] count_site(site, totals)    each site, once: what was born and freed count_pool(row, totals)     each pool, once
//   end_look()                  histories move on; every site is judged
//   verdicts()                  of all sites and pools that were ever alive at a look
//
// Looks may come at any distance; they are the engine's only clock. Sites are numbers that mean the same at each look (ids of
// the process' site table; rows that a series matched). Nothing here knows names, stacks or threads.
//
// Threads: one at a time. Complexity: a look is O(blocks + sites). Memory: reserved in begin_look(), in proportion to sites.
// docs/verdicts.md says what is judged by which figures; tests/unit/verdict and tests/leakzoo check it.

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include <memwatch/model/verdict.hpp>
#include "verdict/birth_groups.hpp"
#include "verdict/evidence.hpp"
#include "verdict/judgement.hpp"
#include "verdict/pool_history.hpp"
#include "verdict/site_history.hpp"

namespace memwatch {
inline namespace v1 {

struct look {
    std::uint64_t time_ns{};           // on the snapshots' timeline; not before the last look's
    std::uint32_t sites{};             // site numbers are below this
    bool is_exact{};                   // every block is recorded (preset full): objects are counted, not weighted bytes
    std::uint64_t completed_traces{};  // since the process' start; 0 = traces are not used
    std::uint64_t lost_records{};      // since the start: records dropped, thinned or given up
    // R that blocks are drawn with by now, and those below a page, which is higher while page edges are scarce. 0 = not told;
    // no_interval: none is recorded.
    std::uint64_t interval_bytes{};
    std::uint64_t small_interval_bytes{};
    static constexpr std::uint64_t no_interval = ~std::uint64_t{0};
};

struct alive_block {
    std::uint64_t birth_ns{};
    std::uint64_t size_bytes{};
    std::uint64_t interval_bytes{};  // R it is weighted with; 0 = it stands for itself
    bool is_traced{};                // born in a trace
};

// Since the session's start.
struct site_totals {
    sampled_totals allocated;
    sampled_totals freed;
    sampled_totals freed_by_other_thread;
    std::uint32_t depth{};  // frames of its stack; 0 = unknown
    bool is_partial{};      // escalated, but there was not room for all that was born
};

struct engine_settings {
    std::uint64_t epoch_ns{10'000'000'000};  // the unit of ages; a look an epoch is usual, not needed
    judgement_settings judgement;
};

class engine {
public:
    explicit engine(const engine_settings& settings);

    // Everything seen so far is forgotten: another session, another way of sampling.
    void reset() noexcept;

    // May allocate (for sites that are new). Errors: std::bad_alloc; the engine is then as before.
    void begin_look(const look& now);
    void count_block(std::uint32_t site, const alive_block& block) noexcept;
    void count_site(std::uint32_t site, const site_totals& totals) noexcept;
    void count_pool(std::uint32_t row, const pool_totals& totals);
    void end_look();

    // Rate 1 for this site began (`is_on`) at `time_ns`, or ended: only blocks that stand for themselves count while it lasts.
    void set_escalated(std::uint32_t site, bool is_on, std::uint64_t time_ns) noexcept;
    // What the same place held in a healthy run (baseline.hpp).
    void set_expectation(std::uint32_t site, const expectation& known);

    // Sites in order, then pools; `index` is the number they were counted under. Those below `least` are left out. What is
    // bounded or steady has no score and so no features.
    [[nodiscard]] std::vector<verdict> verdicts(verdict_level least = verdict_level::none) const;
    // Of one that was counted; class inconclusive for one that never was.
    [[nodiscard]] verdict verdict_of(verdict_subject subject, std::uint32_t index) const;
    // Sites that a rate of 1 would settle soonest: growing, kept so far, too few samples. Most promising first.
    [[nodiscard]] std::vector<std::uint32_t> wishes(std::size_t most) const;

    // What it is called by now. Inconclusive: also for a site that is not known.
    [[nodiscard]] verdict_class kind_of(std::uint32_t site) const noexcept {
        return site < sites_.size() ? sites_[site].kind : verdict_class::inconclusive;
    }
    [[nodiscard]] std::uint64_t looks() const noexcept { return looks_; }
    [[nodiscard]] std::uint64_t last_look_ns() const noexcept { return now_.time_ns; }
    [[nodiscard]] std::size_t self_bytes() const noexcept;

private:
    void move_groups();
    void move_pace(site_history& site, double epochs) const noexcept;
    void move_history(site_history& site, const float* alive) noexcept;
    void set_aside(site_history& site, const alive_block& block, bool is_of_this_history) const noexcept;
    void judge_sites();
    void settle(site_history& site, const evidence& e) const noexcept;
    [[nodiscard]] double coarseness_of(const site_history& site) const noexcept;
    [[nodiscard]] evidence evidence_of(const site_history& site) const noexcept;
    [[nodiscard]] const expectation* expectation_of(std::uint32_t site) const noexcept;
    [[nodiscard]] bool is_exact(const site_history& site) const noexcept;
    [[nodiscard]] bool is_losing() const noexcept;
    [[nodiscard]] bool is_of_old(std::uint32_t number, const site_history& site, std::uint64_t birth_ns) const noexcept;
    [[nodiscard]] verdict describe(const site_history& site, const evidence& e, const expectation* known) const;
    // Bytes an epoch, with its error.
    struct growth {
        double rate;
        double error;
    };
    [[nodiscard]] growth growth_by_samples(const site_history& site) const noexcept;
    [[nodiscard]] double sample_drawn_now(const site_history& site) const noexcept;
    [[nodiscard]] growth growth_of(const site_history& site, const evidence& e) const noexcept;

    engine_settings settings_;
    look now_{};
    std::uint64_t last_ns_{0};  // the look before
    std::uint64_t looks_{0};
    std::uint64_t lost_before_{0};  // records, at the look before
    bool is_new_group_{};           // this look ends a group of its own
    bool is_unsure_of_births_{};    // reset amid a session: what was born before is not counted
    birth_groups groups_;
    float traces_[birth_groups::capacity]{};  // completed in the group's time
    std::uint64_t completed_traces_{0};
    std::vector<site_history> sites_;
    std::vector<float> alive_;  // of this look: a row of birth_groups::capacity a site
    std::vector<pool_history> pools_;
    std::unordered_map<std::uint32_t, expectation> expected_;
    std::unordered_map<std::uint32_t, std::uint64_t> escalated_;  // since when
};

}  // namespace v1
}  // namespace memwatch
