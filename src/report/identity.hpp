// SPDX-License-Identifier: Apache-2.0
#pragma once
// Words for what a delta knows about identity: on which rung sites were matched, which may have moved, and which of a row's
// blocks are survivors and which were allocated again.
//
// In: a delta. Out: one line each, without its end; "" when there is nothing to say. Threads: any.

#include <string>

#include <memwatch/model/delta.hpp>

#include "report/findings.hpp"

namespace memwatch {
inline namespace v1 {

// "sites matched: 120 exact, 30 by frames, 2 by function; 3 only before, 5 only after, 2 perhaps moved"
[[nodiscard]] std::string matching_words(const delta& d);

// "fingerprint 4bf9..: the same in both, nothing changed"; of two heaps that differ "fingerprint 4bf9.. -> 08a1..".
[[nodiscard]] std::string fingerprint_words(const delta& d);

// Of a row that was not matched exactly: "by function (edited: lines moved), 2 sites before, 3 after".
[[nodiscard]] std::string match_words(const delta& d, const delta_row& row);

// "51.5 MiB born in between, 1.2 MiB survived, 300.0 KiB freed, oldest block 3m30s"; of two sessions, when each side's were
// born.
[[nodiscard]] std::string survival_words(const delta& d, const delta_row& row);

// "#7 app::insert (gone) -> #1 app::put (new): called by app::handle, same type".
[[nodiscard]] std::string move_words(const delta& d, const move_proposal& move, quote_function quote);

}  // namespace v1
}  // namespace memwatch
