// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which snapshots of a history must go so that the rest keeps within its bounds: first those that are too old, then those that
// are missed least. The newest are left dense and the older ones ever sparser, so that any age somebody asks for has one that
// is not much older: the gap that a removal would leave, in proportion to its age, is smallest. Threads: any.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace memwatch {
inline namespace v1 {
namespace history {

struct history_bounds {
    std::uint64_t bytes{};  // of all together
    std::uint64_t age_ns{86'400'000'000'000};
    std::size_t count{1024};
};

struct past_size {
    std::uint64_t taken_unix_ns{};
    std::uint64_t bytes{};
};

// `all` by time, oldest first; the answer too, as indices of it. The newest goes only where it alone is above the bound, and
// the oldest, which says how far back one can look, only where no other is left between the two.
[[nodiscard]] std::vector<std::size_t> superfluous(const std::vector<past_size>& all, const history_bounds& within,
                                                   std::uint64_t now_unix_ns);

}  // namespace history
}  // namespace v1
}  // namespace memwatch
