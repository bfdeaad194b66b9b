// SPDX-License-Identifier: Apache-2.0
#pragma once
// A verdict: what memwatch thinks of one site or one pool, with what it thinks it by. A plain value; `verdict/` makes them once
// an epoch, a snapshot carries those of its moment (snapshot.verdicts), and a dump is judged again by `memwatch verdicts`.
//
//   class            level    says
//   leak_orphan      leak     nothing points at it any more              (of the reachability scan, not made yet)
//   leak_cycle       leak     only its own cycle points at it            (likewise)
//   leak_retained    leak     a share of what is born is never freed, and it goes on
//   pool_leak        leak     objects are taken from a pool and do not come back
//   suspect_growth   suspect  it grows, neither load nor warm-up explains it, and there is no proof yet
//   pool_bloat       none     a pool holds far more than was ever wanted of it lately
//   cache            none     it keeps what it holds for long and lets go of the old as new comes
//   bounded          none     all of its blocks go after a time that is known by now
//   warmup           none     it grew, and grows less and less
//   steady           none     it does not grow
//   inconclusive     none     too little is known; `doubt` says what is missing
//
// Only level `leak` may wake somebody up. Amounts are estimates unless `is_exact`.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <memwatch/base/export.hpp>

namespace memwatch {
inline namespace v1 {

// What it says; the table above. In the order of how bad it is to be one.
enum class verdict_class : std::uint8_t {
    inconclusive,
    steady,
    warmup,
    bounded,
    cache,
    pool_bloat,
    suspect_growth,
    leak_retained,
    pool_leak,
    leak_orphan,
    leak_cycle,
};
// How many classes there are.
inline constexpr std::size_t verdict_class_count = 11;

// What a class amounts to.
enum class verdict_level : std::uint8_t { none, suspect, leak };
// How many levels there are.
inline constexpr std::size_t verdict_level_count = 3;

// How much it matters, by bytes and by how shallow the stack is; `none` for classes of level none.
enum class verdict_severity : std::uint8_t { none, info, warning, critical };
inline constexpr std::size_t verdict_severity_count = 4;

// What is missing for a judgement; of class inconclusive alone.
enum class verdict_doubt : std::uint8_t {
    none,
    too_few_samples,  // below the information bound: a leak this small cannot be told yet
    too_short,        // watched for too few epochs
    follow_up_short,  // its oldest block is not old enough beside the lifetimes of those that were freed
    still_early,      // it keeps what it gets, as a cache that fills does
    records_lost,     // blocks were dropped or thinned meanwhile
};
inline constexpr std::size_t verdict_doubt_count = 6;

// What a verdict is about: a row of snapshot.sites or of snapshot.pools.
enum class verdict_subject : std::uint8_t { site, pool };

// The evidence, one statistic each; `docs/verdicts.md` has the formulas.
enum class verdict_feature_kind : std::uint8_t {
    amount,       // samples (objects, in full mode) among the settled: what the judgement rests on
    plateau,      // share of settled blocks that is never freed, lower bound (Kaplan-Meier)
    follow_up,    // oldest age over the age at which deaths end
    generations,  // groups of births that still have blocks alive, of those that could have
    growth,       // Theil-Sen slope of what is live over its own error
    lateness,     // rate of retention in the last quarter over the rate before: 1 = linear, 0 = saturated
    per_trace,    // bytes a completed trace leaves behind
    escape,       // share of what was born in a trace and is alive epochs later
    hand_off,     // share of frees that another thread made
    expectation,  // live bytes over what the baseline's site had; 0 = no baseline
    persistence,  // log10 of the e-value against "old blocks are still being freed"
};
inline constexpr std::size_t verdict_feature_count = 11;

// One statistic, and what it did to the score.
struct verdict_feature {
    verdict_feature_kind kind{};
    double value{};
    double contribution{};  // to the score, in log-odds; what all of them and a constant sum to gives `confidence`
};

struct verdict {
    verdict_subject subject{verdict_subject::site};
    std::uint32_t index{};  // row in snapshot.sites or snapshot.pools
    verdict_class kind{verdict_class::inconclusive};
    verdict_doubt doubt{verdict_doubt::none};
    verdict_severity severity{verdict_severity::none};
    bool is_exact{};              // every block was counted (preset full, an escalated site, a pool)
    double confidence{};          // 0..1: a score for "this leaks"; how it fits is measured on LeakZoo
    std::uint64_t since_ns{};     // when what it keeps began to be kept; times as in the snapshot
    std::uint64_t decided_ns{};   // when this class was adopted
    std::uint32_t looks{};        // epochs (or dumps) in which it was seen alive
    std::uint32_t generations{};  // epochs of birth that still have blocks alive, as far as they are told apart
    double retained_bytes{};      // what is settled: old enough to be called kept
    double retained_objects{};
    double rate_bytes_per_second{};  // at which that grows
    double rate_error{};             // half of its 95 % interval
    double kept_share{};             // of what is born, the part that is never freed; with its 95 % interval
    double kept_share_low{};
    double kept_share_high{};
    double freed_objects{};       // since the site was first seen
    double follow_up{};           // see verdict_feature_kind::follow_up
    double bytes_per_trace{};     // growth per completed trace; 0 = no traces
    double escaped_share{};       // of what was born in a trace
    double other_thread_share{};  // of frees
    std::vector<verdict_feature> features;
};

// The one place that says which classes are leaks. Threads: any.
[[nodiscard]] constexpr verdict_level level_of(verdict_class kind) noexcept {
    switch (kind) {
        case verdict_class::leak_retained:
        case verdict_class::pool_leak:
        case verdict_class::leak_orphan:
        case verdict_class::leak_cycle:
            return verdict_level::leak;
        case verdict_class::suspect_growth:
            return verdict_level::suspect;
        default:
            return verdict_level::none;
    }
}

// The words of metrics, JSON and the command line: "leak_retained", "too_few_samples", "warning" ... Threads: any.
[[nodiscard]] MEMWATCH_API std::string_view word_of(verdict_class kind) noexcept;
[[nodiscard]] MEMWATCH_API std::string_view word_of(verdict_level level) noexcept;
[[nodiscard]] MEMWATCH_API std::string_view word_of(verdict_severity severity) noexcept;
[[nodiscard]] MEMWATCH_API std::string_view word_of(verdict_doubt doubt) noexcept;
[[nodiscard]] MEMWATCH_API std::string_view word_of(verdict_subject subject) noexcept;
[[nodiscard]] MEMWATCH_API std::string_view word_of(verdict_feature_kind kind) noexcept;
// And back; nothing for a word that is none of them.
[[nodiscard]] MEMWATCH_API std::optional<verdict_class> verdict_class_of(std::string_view word) noexcept;
[[nodiscard]] MEMWATCH_API std::optional<verdict_level> verdict_level_of(std::string_view word) noexcept;
[[nodiscard]] MEMWATCH_API std::optional<verdict_severity> verdict_severity_of(std::string_view word) noexcept;
[[nodiscard]] MEMWATCH_API std::optional<verdict_doubt> verdict_doubt_of(std::string_view word) noexcept;
[[nodiscard]] MEMWATCH_API std::optional<verdict_subject> verdict_subject_of(std::string_view word) noexcept;
[[nodiscard]] MEMWATCH_API std::optional<verdict_feature_kind> verdict_feature_of(std::string_view word) noexcept;

}  // namespace v1
}  // namespace memwatch
