// SPDX-License-Identifier: Apache-2.0
#pragma once
// Telling what changed: a structured line in the log and a call of the program's own function for each verdict that is not what
// was last told.
//
//   memwatch level=warning event=verdict class=leak_retained was=inconclusive severity=info site=1f.. function="cache::insert"
//       tag="orders" route="/api/v2/orders" bytes=54525952 rate_bytes_per_s=1363148 detail="cache::insert has kept 100 % ..."
//
// Names are resolved for these few sites alone. Everything here runs on memwatch's thread, or where a session ends, under no
// lock.

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include <memwatch/session.hpp>
#include "runtime/tasks/judged_pools.hpp"

namespace memwatch {
inline namespace v1 {

struct process_state;

// A verdict that was not what was last told of its subject: its class is another, or its severity is higher.
struct verdict_change {
    verdict now;
    verdict_class before;
};

// The program's own function (session::on_verdict); null: none.
struct verdict_listener {
    verdict_function function{nullptr};
    void* context{nullptr};
};

// Makes a verdict by the engine's numbers one by a snapshot's rows; `pools`: the numbers of its pools, by row. False: the
// snapshot has no such row.
[[nodiscard]] bool move_to_row(verdict& of, const snapshot& in, std::uint32_t first_site,
                               const std::vector<std::uint32_t>& pools) noexcept;

// The line for a verdict of `in`.
[[nodiscard]] std::string verdict_line(const verdict_change& change, const snapshot& in);

// `changes` by the engine's numbers.
void tell_verdicts(process_state& state, std::vector<verdict_change> changes, const judged_pools& pools,
                   const verdict_listener& listener);

}  // namespace v1
}  // namespace memwatch
