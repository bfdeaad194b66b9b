// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which sites are recorded block by block (capture/escalation.hpp), and for how long: the engine wishes, after each look; a
// wish becomes a term, a term ends by itself.
//
//   the engine's wishes --> stack, sizes of what is alive --> a slot of capture --> blocks with an interval of 0 --> the engine
//
//   ends when     the engine has decided that the site is in order     (a leak or suspect stays: the judgement rests on it)
//                 most_looks have passed without a decision            counted: escalation_expired
//                 the budget's last page is taken                      counted: escalation_full; a verdict stands
//                 the session, the preset, the sampler or the engine's history changes
//   A site whose term has ended gets no other one for resting_looks. New terms take what is left of the 32 slots.
//
// Pages are given out a look at a time, so that a fast leak shows in each epoch rather than taking all pages in the first, and
// always as many, or it would seem to end: 17 more than the site holds for the first site, fewer for those that come later.
// Preset full and other samplers than Poisson's have no use for it.
//
// What it can not do: a site without any sample is not known; the engine wishes for one with two samples that have stayed. At
// R = 1 MiB that is 2 MiB of leaked blocks in the mean, however many blocks that is.
//
// Threads: one at a time; the owner's mutex guards it. Checked by tests/unit/runtime/escalation_test.cpp.

#include <array>
#include <cstddef>
#include <cstdint>

#include <memwatch/model/snapshot.hpp>
#include <memwatch/options.hpp>
#include "capture/capture_state.hpp"
#include "capture/escalation.hpp"
#include "live/live_state.hpp"
#include "verdict/engine.hpp"

namespace memwatch {
inline namespace v1 {

class escalation_keeper {
public:
    // A session begins.
    void begin(capture_state& capture, const options& chosen) noexcept;
    // All terms end, the engine knows or has forgotten. May run in a forked child: nothing is locked and nothing freed.
    void end_all(capture_state& capture) noexcept;

    // Before the live blocks are visited, during, and for a site's totals: what the engine is told instead of them, which is
    // what was recorded in the term.
    void begin_look(const capture_state& capture) noexcept;
    void see(const live_record& block) noexcept;
    void replace_totals(std::uint32_t site, site_totals& totals) const noexcept;

    // After a look at `now_ns` of the snapshots' timeline.
    void turn(capture_state& capture, live_state& live, engine& judge, std::uint64_t now_ns);

private:
    struct term {
        std::uint32_t site;
        std::uint32_t looks;
        std::uint64_t since_ns;  // blocks born before are another term's
        std::uint64_t recorded;  // when the look began
        std::uint64_t alive;     // of these, at the look
        std::uint32_t pages_a_look;
        bool is_running;
        bool was_full;  // at some look, all that was allowed since the one before had been recorded
    };
    struct rest {
        std::uint32_t site;
        std::uint32_t looks_left;
    };

    static constexpr std::size_t none = escalation::most_sites;
    [[nodiscard]] std::size_t slot_of(std::uint32_t site) const noexcept;  // none: it has no term
    [[nodiscard]] bool is_resting(std::uint32_t site) const noexcept;
    [[nodiscard]] std::uint32_t pages_for_new_term(const capture_state& capture) const noexcept;
    [[nodiscard]] std::size_t free_slot(const capture_state& capture) const noexcept;
    void settle_terms(capture_state& capture, engine& judge, std::uint64_t now_ns) noexcept;
    void end(capture_state& capture, engine& judge, std::size_t slot, std::uint64_t now_ns) noexcept;
    void begin_terms(capture_state& capture, live_state& live, engine& judge, std::uint64_t now_ns);

    std::array<term, escalation::most_sites> terms_{};
    std::array<rest, 2 * escalation::most_sites> rests_{};
    std::size_t next_rest_{0};
    std::uint64_t budget_bytes_{0};  // 0: no site is escalated
};

// What it takes and does, for a snapshot.
void freeze_escalation(const capture_state& capture, snapshot& into);

}  // namespace v1
}  // namespace memwatch
