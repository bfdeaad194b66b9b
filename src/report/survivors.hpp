// SPDX-License-Identifier: Apache-2.0
#pragma once
// Survivors only: what outlives `epochs` epochs, allocated by stacks of at least `min_depth` frames. A sampler elsewhere would
// decide so at run time and could not be asked again; here it is a look at a snapshot, so every table and summary can be had of
// the survivors alone, with any k and d, also of a dump.
//
//   epoch    7         8         9         10        taken in epoch 10
//   born     |  a      |    b    |  c      |         epochs = 2: a and b (alive when the second epoch after their own began)
//
// In: a snapshot with live records. Out: the same with less in it; exact tag and pool counters stay as they are.

#include <cstddef>
#include <cstdint>
#include <string>

#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

struct survivor_filter {
    std::uint64_t epochs{};   // 0 = of any age
    std::size_t min_depth{};  // 0 = of any stack

    [[nodiscard]] bool is_set() const noexcept { return epochs != 0 || min_depth != 0; }
};

// Leaves only the survivors: sites without any are emptied, sums follow the records that stay.
void keep_survivors(snapshot& s, const survivor_filter& wanted);

// "only blocks alive for 3 epochs (30 s) or more, from stacks of 5 frames or more"; empty when nothing is left out.
[[nodiscard]] std::string to_words(const survivor_filter& filter, const snapshot_info& info);

}  // namespace v1
}  // namespace memwatch
