// SPDX-License-Identifier: Apache-2.0
#pragma once
// One leak is one finding, however many callers reach it: rows whose stacks end in the same place are a cluster.
//
//   row 0  +40 MiB  operator new <- vector::push_back <- cache::remember cache.cpp:42 <- handle_create <- main    \.
//   row 3   +9 MiB  malloc       <- operator new      <- cache::remember cache.cpp:42 <- handle_batch  <- main    / one cluster
//   row 5   +2 MiB  operator new <- cache::remember cache.cpp:57 <- handle_create <- main                  another statement
//   row 9   -3 MiB  operator new <- cache::remember cache.cpp:42 <- reload <- main                         another direction
//
// Rows are one cluster when all of this is equal: the tag; the direction (growth never hides behind what shrank elsewhere); and
// the allocating end, the innermost call of the user's own code: function, file and line, or module + offset where no line is
// known. Calls of the standard library, allocators and memwatch are no user's code, nor are functions whose own name says that
// they allocate for others (xmalloc, str_dup, allocate_node): what such a wrapper is called from is the place. Rows without a
// stack, and rows of other dimensions than site, are each their own cluster.
//
// Why one call and not several: one statement is one thing to fix, whoever calls it; asking for equal callers too would list
// one leak once a route. Why not fewer (the function alone): a function that leaks in two places has two faults. The type is
// not asked for: one statement that inserts into a map leaks a node and a string. Limit: a wrapper with a name that does not
// say so is one place, its callers one cluster; the rows of a cluster stay listed (`rows`), largest first.
//
// Sums: bytes, rates and variances add (samples of different sites are independent); a cluster can be significant of rows that
// are not. Where noise of some rows would drown what is proven of others, the proven and the others are two clusters. rank: as
// if the cluster were a row among the clusters; steady bytes add, which is a lower bound, long-lived share and weight are means
// by growth. Cost: linear in rows and frames, but for the final sort. Deterministic: equal input, equal
// output; ties keep the order of the rows.
//
// In: a delta. Out: plain values. Threads: any. What libmemwatch-serve calls is exported.

#include <cstddef>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/diff/ranking.hpp>
#include <memwatch/model/delta.hpp>

namespace memwatch::inline v1 {

struct cluster {
    std::vector<std::size_t> rows;  // indices into delta.rows, in their order; never empty
    std::vector<frame> shared;      // of the first row: from the leaf to the last call that all rows have in common
    double bytes{};
    double rate_bytes_per_s{};
    double bytes_standard_error{};
    rank_terms rank;
};

// In the order of the delta's ranking; every row is in exactly one.
[[nodiscard]] MEMWATCH_API std::vector<cluster> cluster_rows(const delta& d);

// Rows of one tag that end in one place, whatever their direction: what one caller of it gained and another lost is one change.
// Lists of indices into delta.rows, ordered by their first; every row is in exactly one.
[[nodiscard]] std::vector<std::vector<std::size_t>> rows_by_place(const delta& d);

// Rows as one, as if their sites were one site: names, stack and type are the first row's (the type only if all share it). Of
// shares each row knew only its three largest, so that sums of them are lower bounds.
[[nodiscard]] delta_row merge_rows(const delta& d, const std::vector<std::size_t>& rows);

// The first `top` of them (0 = all) that changed by `threshold_bytes` or more; rows of the others leave the delta and count as
// hidden, indices follow.
[[nodiscard]] MEMWATCH_API std::vector<cluster> keep_top_clusters(delta& d, std::size_t top, double threshold_bytes = 0);

// The delta as a person reads it: a row a cluster, in the order of the clusters, with the stack they share, `stacks` saying how
// many there are, and who calls the place as shares by site. Proposed moves follow their rows.
[[nodiscard]] MEMWATCH_API delta as_findings(const delta& d, const std::vector<cluster>& clusters);

}  // namespace memwatch::inline v1
