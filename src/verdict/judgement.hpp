// SPDX-License-Identifier: Apache-2.0
#pragma once
// From evidence to a class, and from candidates to what is adopted. Pure functions; docs/verdicts.md has the reasons for each
// bound and the odds.
//
//   evidence -> judge_site() -> candidate -> control (e-BH over all sites of the look) -> adopt() (hysteresis) -> class

#include <array>
#include <cstdint>
#include <vector>

#include <memwatch/model/verdict.hpp>
#include "verdict/evidence.hpp"
#include "verdict/pool_history.hpp"

namespace memwatch {
inline namespace v1 {

struct judgement_settings {
    std::uint64_t warning_bytes{10ULL << 20U};  // severity of a leak: above this
    std::uint64_t critical_bytes{100ULL << 20U};
    std::uint64_t shallow_bytes{50ULL << 20U};  // critical already, from a stack of at most `shallow_depth` frames
    std::uint32_t shallow_depth{5};
    double false_discoveries{0.05};  // among the sites called leaks, the share that may be wrong for want of evidence
    unsigned looks_to_enter{3};      // agreeing looks before a class of level suspect or leak is adopted
    unsigned looks_to_leave{10};     // and before it is given up; `looks_to_enter` when the contrary was seen
};

struct judgement {
    verdict_class kind{verdict_class::inconclusive};
    verdict_doubt doubt{verdict_doubt::none};
    bool needs_evidence{};  // holds only as a discovery among all sites
    bool is_refuted{};      // blocks that were called kept are being freed
};

[[nodiscard]] judgement judge_site(const evidence& e, const site_history& site, bool is_exact,
                                   const expectation* known) noexcept;
[[nodiscard]] judgement judge_pool(const evidence& e, const pool_history& pool, double watched_ns) noexcept;

// Records are being lost: what looks quiet may only be unseen.
[[nodiscard]] judgement while_losing(judgement now) noexcept;

// What is settled is there to stay and grows: the figures of a verdict are of it, else of all that is alive.
[[nodiscard]] bool is_kept(const evidence& e) noexcept;

// The log10 of the e-value from which on candidates are discoveries: e-BH (Wang & Ramdas 2022) with `tested` hypotheses, at
// level `share`. `evidence` are the candidates' and is reordered. Infinite when none is.
[[nodiscard]] double discovery_bound(std::vector<float>& evidence, std::size_t tested, double share) noexcept;

// Moves the site's adopted class by one look.
void adopt(site_history& site, const judgement& now, const judgement_settings& settings, double now_epochs) noexcept;

// The score: each feature's value and its log-odds, and their sum as a probability.
struct score {
    std::array<verdict_feature, verdict_feature_count> features;
    double confidence;
};
[[nodiscard]] score score_of(const evidence& e, const expectation* known) noexcept;

// Of a verdict of level leak or suspect; `none` for the others.
[[nodiscard]] verdict_severity severity_of(verdict_class kind, double bytes, std::uint32_t depth,
                                           const judgement_settings& settings) noexcept;

}  // namespace v1
}  // namespace memwatch
