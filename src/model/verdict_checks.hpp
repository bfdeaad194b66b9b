// SPDX-License-Identifier: Apache-2.0
#pragma once
// What makes a row of snapshot.verdicts whole: shared by validate(), which refuses, the repair of a damaged dump, which mends,
// and who freezes a process, which leaves out: a figure that came out wrong must cost its verdict, never the dump.
//
// In: a verdict of anyone, and the snapshot it stands in. Out: yes or no. Threads: any.

#include <cstddef>

#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

[[nodiscard]] constexpr bool is_known(verdict_class value) noexcept {
    return static_cast<std::size_t>(value) < verdict_class_count;
}
[[nodiscard]] constexpr bool is_known(verdict_doubt value) noexcept {
    return static_cast<std::size_t>(value) < verdict_doubt_count;
}
[[nodiscard]] constexpr bool is_known(verdict_severity value) noexcept {
    return static_cast<std::size_t>(value) < verdict_severity_count;
}
[[nodiscard]] constexpr bool is_known(verdict_feature_kind value) noexcept {
    return static_cast<std::size_t>(value) < verdict_feature_count;
}

// Finite, and of a size that sums survive; of either sign.
[[nodiscard]] constexpr bool is_figure(double value) noexcept { return value >= -1e300 && value <= 1e300; }

// Whether the row it is about exists.
[[nodiscard]] inline bool has_subject(const snapshot& s, const verdict& of) noexcept {
    switch (of.subject) {
        case verdict_subject::site:
            return of.index < s.sites.size();
        case verdict_subject::pool:
            return of.index < s.pools.size();
    }
    return false;
}

// Bytes are below 2^64 and a variance below its square: what is larger is no measurement, and sums of it would overflow. False
// for NaN.
[[nodiscard]] constexpr bool is_amount(double value) noexcept { return value >= 0 && value <= 1e300; }
[[nodiscard]] constexpr bool is_share(double value) noexcept { return value >= 0 && value <= 1; }

// Its figures are such; its words and features are known.
[[nodiscard]] bool is_sound(const verdict& of) noexcept;

// Takes out the rows that are not whole, and puts the others in order.
void keep_whole_verdicts(snapshot& s);

// Sites in order, then pools in order, each once.
[[nodiscard]] constexpr bool is_before(const verdict& a, const verdict& b) noexcept {
    return a.subject != b.subject ? a.subject < b.subject : a.index < b.index;
}

}  // namespace v1
}  // namespace memwatch
