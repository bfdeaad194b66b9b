// SPDX-License-Identifier: Apache-2.0
#pragma once
// The rungs above `exact`: sites of a program that was built again. What is compared is the *user chain* of a site: the
// functions on its stack, innermost first, inlined calls expanded and plumbing (allocator, std::, boost::) folded away, each
// with the place of the call in it. So it doesn't matter what the compiler inlined, and not where the code was loaded or moved
// to.
//
//   frames    type, tag and chain are equal: all of it, or else at least the three innermost functions. Several sites of one
//             chain (an unrolled loop, a recursion of another depth, deeper callers that changed) become one row, which says so
//   function  type, tag and the functions are equal, places are not: all functions, the innermost three, two or the allocating
//             one alone; only where exactly one site on each side is left
//
// What then is left on both sides may have moved: pairs with the same type and tag and similar chains are proposed, never
// joined.

#include <cstdint>
#include <string>
#include <vector>

#include "diff/match.hpp"

namespace memwatch::inline v1 {

// Rows that are the same site, found on `rung`; each row of `match` at most once.
struct joined_rows {
    match_rung rung;
    std::vector<std::uint32_t> rows;  // of both sides
};

struct ladder_result {
    std::vector<joined_rows> joined;
    std::vector<site_match::move> moves;  // in rows of the given match
};

// `is_shared`: which unified modules are in both snapshots. Rows that exact matching joined take no part.
[[nodiscard]] ladder_result climb(snapshot_pair sides, const site_match& match, const std::vector<bool>& is_shared);

}  // namespace memwatch::inline v1
