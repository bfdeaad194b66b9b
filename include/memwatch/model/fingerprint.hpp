// SPDX-License-Identifier: Apache-2.0
#pragma once
// 128 bits that say whether two heaps have the same shape: what lives, how much of it, and where it was allocated. Built from
//   each site with live blocks   build ids and file offsets of its frames, type, tag; live bytes and objects
//   each tag, each pool          name, exact live bytes and objects
// and from nothing else: not from load addresses, paths (unless a module has no build id), hosts, times, thread names, routes,
// traces or symbols, nor from the order of any table. So it is the same on another host, after another start and in another
// format, and changes with any block of another size or site.
//
// Law (tests/unit/diff/fingerprint_test.cpp): with equal fingerprints, a diff by site has no rows; nor has one by type, tag
// or pool, but for the rounding of sums of estimates. It says nothing about routes, traces and threads.
// Sampled heaps of equal shape are sampled differently: equal fingerprints are for one snapshot read twice, for full mode, and
// for "nothing happened in between".

#include <cstdint>
#include <string>

#include <memwatch/base/export.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

struct fingerprint {
    std::uint64_t high{};
    std::uint64_t low{};

    // 32 lower-case digits.
    [[nodiscard]] MEMWATCH_API std::string hex() const;

    friend constexpr bool operator==(fingerprint a, fingerprint b) noexcept { return a.high == b.high && a.low == b.low; }
    friend constexpr bool operator!=(fingerprint a, fingerprint b) noexcept { return !(a == b); }
};

// The indices must be in range (validate()). Threads: any. Complexity: n log n in sites; the records aren't looked at.
[[nodiscard]] MEMWATCH_API fingerprint fingerprint_of(const snapshot& s);

}  // namespace v1
}  // namespace memwatch
