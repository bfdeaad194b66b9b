// SPDX-License-Identifier: Apache-2.0
#pragma once
// A snapshot cut to what matters most: the sites that are accused, those that hold most, those of its records. What the black
// box has room for each second. Tags stay whole, so that their numbers are the process'; everything else that is kept refers
// to rows of the excerpt.
//
// In: a snapshot that passes validate(). Out: one that does. Pure; allocates.

#include <cstddef>

#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

// `most_sites`: of each, the accused and the large ones; sites of records come on top of them.
[[nodiscard]] snapshot excerpt_of(snapshot whole, std::size_t most_sites);

}  // namespace v1
}  // namespace memwatch
