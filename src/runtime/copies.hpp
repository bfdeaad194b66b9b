// SPDX-License-Identifier: Apache-2.0
#pragma once
// A second copy of memwatch in one process - linked statically into a plugin, beside the one of the executable or of another
// plugin - finds the first and uses its state, so that tags, sites, pools, sessions and endpoints are one.
//
//   executable              plugin a.so             plugin b.so (another version)
//   note --> copy_record    note --> copy_record    note --> copy_record
//            ready                   idle                    inert
//            state ------------------> process() is this     a state of its own that no session starts on
//
// Each copy carries a note (platform/module_notes.hpp) with the way to its record, whose layout never changes. Who is needed
// first in a process claims to be first while the loader's lock is held, so one does. A later copy compares the `abi` word:
// version, layouts, toolchain. Equal: it joins. Other: it touches nothing of the first, counts into a state that nobody looks
// at, and says so once in the log and in each status(). Not found: copies in namespaces of their own (dlmopen), which are
// processes within the process in every other respect, too.

#include <cstdint>

namespace memwatch {
inline namespace v1 {

struct process_state;

enum class copy_role {
    first,   // make a state, then call publish_first_copy()
    joined,  // `state` is the first copy's
    inert,   // make a state of its own; `why` says with whom this copy cannot work
};

struct copy_claim {
    copy_role role;
    process_state* state;
    char why[128];  // one sentence; empty unless inert
};

// Which copy this is. Once in each copy. Keeps its module loaded: the process will hold addresses of it from now on. Waits for
// a first copy that is being made on another thread; after a second without, this one stays inert.
// Threads: any. Locks: the loader's. Allocates: in a plugin that is not linked with -z nodelete.
[[nodiscard]] copy_claim claim_process_state() noexcept;

// `state` is ready for others to join.
void publish_first_copy(process_state& state) noexcept;

// Enters this copy, which joined or is the first, into the state's list. False: too many.
bool enter_copy(process_state& state) noexcept;

}  // namespace v1
}  // namespace memwatch
