// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the memory of this process is: what footprint/ measures, joined with what the process knows of itself (live blocks,
// exact tags, memwatch's own memory, modules).
//
// Threads: any, outside of hooks; one measurement at a time, the next waits. Allocates: yes, as memwatch's own work.

#include <cstdint>

#include <memwatch/base/result.hpp>
#include <memwatch/model/footprint.hpp>

namespace memwatch {
inline namespace v1 {

struct process_state;

struct footprint_request {
    // Above this VmRSS mappings and heap are looked through only when somebody insists: the kernel holds the lock of the
    // address space meanwhile, some 22 ms a GiB.
    std::uint64_t most_resident_bytes{std::uint64_t{8} << 30U};
    bool must_be_detailed{};  // somebody insists
};

// Errors: io (no /proc), unavailable (another copy of memwatch is in charge).
[[nodiscard]] result<footprint> measure_footprint(process_state& state, const footprint_request& asked = {});

}  // namespace v1
}  // namespace memwatch
