// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is known about one finding, as numbers: what the rules (rules.hpp) decide on and nothing else. One struct for sites,
// pools and the process, so that a rule is a condition over plain members and a test can make up any case.
//
// "Between" is the time between the first and the last snapshot when both are of one session; else it is the time since AFTER's
// session began (`is_between` says which).

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/model/delta.hpp>
#include <memwatch/model/snapshot.hpp>

#include "attribution/container_use.hpp"
#include "attribution/onset.hpp"

namespace memwatch::inline v1 {

// What a finding is about: a site (or several that share the allocating end of their stacks), a pool, the process as a whole.
enum class finding_kind { site, pool, process };

struct thread_facts {
    std::size_t threads{};       // that made what survived
    std::size_t ended{};         // of them no longer run
    double ended_share{};        // of the surviving bytes, made by threads that ended
    double blocks_each{};        // surviving blocks an ended thread
    std::size_t ended_in_all{};  // ended threads that the snapshot knows
};

struct pool_facts {
    pool_totals before;  // all zero: was not there
    pool_totals after;
    std::string oldest_site;   // who has had an object out longest; empty = unknown
    std::string oldest_route;  // empty = none
};

struct process_facts {
    std::uint64_t resident_before{};  // 0 = unknown
    std::uint64_t resident_after{};
    double live_before{};
    double live_after{};
    double live_error{};          // of the change
    std::uint64_t self_before{};  // what memwatch itself holds
    std::uint64_t self_after{};

    [[nodiscard]] double resident_growth() const noexcept {
        return resident_before == 0 || resident_after == 0
                   ? 0
                   : static_cast<double>(resident_after) - static_cast<double>(resident_before);
    }
};

struct facts {
    finding_kind kind{finding_kind::site};

    // How much.
    double grown_bytes{};
    double grown_error{};
    double grown_objects{};
    double seconds{};
    bool is_exact{};        // a counter, not an estimate
    bool is_significant{};  // two standard errors, or exact
    std::uint64_t samples{};

    // Of it, how steadily: the share that every quarter of the time added to; 1 = as a leak does. Negative: unknown.
    double steady_share{-1};

    // Of what was allocated between, what became of it.
    bool is_between{};
    double born_bytes{};
    double born_objects{};
    std::uint64_t born_samples{};
    double freed_bytes{};
    std::uint64_t freed_samples{};
    double freed_elsewhere_bytes{};    // by another thread than the allocating one
    double normal_lifetime_seconds{};  // nine of ten that were ever freed lived at most this long; 0 = none was freed; +inf =
                                       // beyond the scale
    double live_bytes{};               // at AFTER
    double live_objects{};
    std::uint64_t oldest_age_ns{};

    // Who keeps it.
    container_use code;
    std::string function;  // as a person calls the site
    std::string type;
    std::string tag;
    bool is_tagged{};  // by the program
    bool has_tag_counter{};
    double tag_grown_bytes{};              // of the whole tag, exactly
    bool has_names{};                      // functions are known
    bool is_truncated{};                   // a stack did not reach its thread's start
    container companion{container::none};  // another site of the same function grows this: what it made may be held there
    std::string companion_called;          // "std::map::emplace"

    // For whom.
    double untraced_share{-1};  // of what survived; -1 = unknown
    thread_facts threads;
    std::vector<hand_off> hand_offs;  // from threads that made this
    double mutual_share{-1};          // of all such hand-offs, to threads that made this as well; -1 = unknown

    // Around it.
    bool has_pool{};
    pool_facts pool;
    process_facts process;
    bool has_records{};  // live records; a summary has none
    bool is_same_session{};

    // Of what was born between, the share that was freed; 0 when nothing was born.
    [[nodiscard]] double freed_share() const noexcept {
        return born_bytes <= 0 ? 0 : freed_bytes >= born_bytes ? 1 : freed_bytes / born_bytes;
    }
    [[nodiscard]] double freed_elsewhere_share() const noexcept {
        return freed_bytes <= 0 ? 0 : freed_elsewhere_bytes >= freed_bytes ? 1 : freed_elsewhere_bytes / freed_bytes;
    }
    // The container that holds the blocks, by their own stack or by the companion.
    [[nodiscard]] container held_in() const noexcept {
        const auto is_node = [](container c) { return c == container::tree || c == container::hash || c == container::list; };
        return is_node(code.holder) || !is_node(companion) ? code.holder : companion;
    }
    [[nodiscard]] double mean_block_bytes() const noexcept { return live_objects <= 0 ? 0 : live_bytes / live_objects; }
};

}  // namespace memwatch::inline v1
