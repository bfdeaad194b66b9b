// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a program is known to hold, as a file to keep in a repository: the base of later gates.
//
// One line a site or tag, each complete in itself and in an order of its own, so that a change of one site is a change of one
// line and two branches merge:
//
//   {"format": "memwatch-baseline", "version": 1, "service": "orders", "executable": "orders", "interval_bytes": 1048576, ...}
//   {"tag": "order-cache", "bytes": 10485760, "objects": 20480}
//   {"site": "orders::cache::insert", "tag": "order-cache", "type": "Order", "bytes": 10490000, "objects": 20488,
//    "error": 3300000, "samples": 10, "stack": [["operator new"], ["orders::cache::insert+4"], ["main+12"]]}
//
// (a site is one line in the file). Left out is what differs from run to run and says nothing about the program: host, pid,
// session, times, paths, addresses, build ids, live records. A frame is its functions, innermost first, each with its line
// relative to the function's start where that is known: what the identity ladder matches another build by. A stack without a
// name of the user's own is told by offsets, "orders@buildid+0x1a40", and matches the same build only.
//
// In and out: values. Reading is for hostile text: whatever comes out passes validate(). Threads: any.

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1::gate {

[[nodiscard]] bool looks_like_baseline(std::string_view bytes);

// Sites that are the same by name are one line. The same for snapshots that hold the same sites, in whatever order.
[[nodiscard]] std::string write_baseline(const snapshot& s);

// A snapshot without records, host, session and times. Errors: unreadable, unsupported, limit; `where` is "line 12". Nothing is
// repaired: a line too few in a budget is a budget that was changed.
[[nodiscard]] result<snapshot> read_baseline(std::string_view bytes);

// What an update changes, for people: one line a site or tag that is new, gone or different, largest change first, and the sum.
[[nodiscard]] std::string render_update(const snapshot& before, const snapshot& after, std::size_t top);

// Frames that have no name: their sites are found in the same build only.
[[nodiscard]] std::size_t nameless_sites(const snapshot& s);

}  // namespace memwatch::inline v1::gate
