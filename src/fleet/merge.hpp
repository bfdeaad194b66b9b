// SPDX-License-Identifier: Apache-2.0
#pragma once
// Dump files of a fleet -> one snapshot, and how its sites spread over the hosts.
//
// Two passes: the first reads of each dump who took it and of which builds (a few hundred bytes), the second adds them up, host
// by host, whatever the order of the files. One dump a worker is decoded at a time, its records of blocks unread; whoever
// decodes first waits for its turn, so that the sums are the same to the last bit with any number of workers.
//
// In: paths of memtrace, json or jsonl files. What cannot be read whole is left out and named: half a dump would be counted as
// a host that holds less. Of one process only the latest dump counts.
//
// Threads: `workers` of its own; the call returns when they have ended.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>

#include "fleet/host_spread.hpp"

namespace memwatch::inline v1 {

struct merge_options {
    unsigned workers{2};
    std::string label;  // of the merged snapshot
    // Called while the dumps are added, from one thread at a time.
    std::function<void(std::size_t done, std::size_t of)> progress;
};

struct left_out_dump {
    std::string path;
    std::string why;
};

struct merged_fleet {
    snapshot value;                         // valid, without records
    std::vector<spread> spreads;            // of each of its sites
    spread total;                           // of all live bytes of a host
    std::vector<std::string> hosts;         // by the number that outliers carry
    std::uint64_t dumps{};                  // that were added
    std::vector<left_out_dump> unreadable;  // damaged, or no dump
    std::vector<left_out_dump> older;       // of a process that a later dump stands for
    std::vector<std::string> notes;         // what to know about the sums: builds kept apart, dumps that were merged before
};

// Errors: unreadable (not one whole dump), invalid_argument (no paths).
[[nodiscard]] result<merged_fleet> merge_dumps(const std::vector<std::string>& paths, const merge_options& options);

}  // namespace memwatch::inline v1
