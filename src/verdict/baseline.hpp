// SPDX-License-Identifier: Apache-2.0
#pragma once
// A healthy run of this program, or of the build before, as what each site may hold: a place that holds what it held then is no
// leak, whatever its blocks look like by age.
//
//   baseline  app::load_catalog < app::start < main, tag catalog   40 MiB, its oldest block 600 s, 610 s of a run
//   now       the same functions and tag, other addresses           -> expects 40 MiB there
//
// Sites are the same by site_key (the same build), else by type, tag and the functions of the user's own on the stack, inlined
// or not; lines may move between builds, and so may what the compiler inlines of other people's code. Several sites with one
// such name are expected to hold together what they held together. What the baseline itself calls a leak or a suspect is
// expected of nobody.
//
// In: two validated, symbolized snapshots; without names only the same build matches. Threads: any. Complexity: O(frames).

#include <string>
#include <unordered_map>

#include <memwatch/model/snapshot.hpp>

#include "verdict/site_history.hpp"

namespace memwatch {
inline namespace v1 {

// By site_key of the sites of `now`; sites that the baseline did not have are missing.
[[nodiscard]] std::unordered_map<std::string, expectation> expectations_of(const snapshot& baseline, const snapshot& now);

}  // namespace v1
}  // namespace memwatch
