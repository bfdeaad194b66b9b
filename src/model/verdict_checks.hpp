// SPDX-License-Identifier: Apache-2.0
#pragma once
// What makes a row of snapshot.verdicts whole: shared by validate(), which refuses, and the repair of a damaged dump, which
// mends.
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

// Sites in order, then pools in order, each once.
[[nodiscard]] constexpr bool is_before(const verdict& a, const verdict& b) noexcept {
    return a.subject != b.subject ? a.subject < b.subject : a.index < b.index;
}

}  // namespace v1
}  // namespace memwatch
