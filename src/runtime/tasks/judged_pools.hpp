// SPDX-License-Identifier: Apache-2.0
#pragma once
// The engine's numbers of pools. A pool is known by its name and by which of those of that name it is, in the order in which
// they were registered: two of one name are two, as they are two rows of a snapshot.
//
// Bounded: `most` pools a session, however many come and go; later ones are not judged. Threads: one at a time.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace memwatch {
inline namespace v1 {

class judged_pools {
public:
    static constexpr std::uint32_t most = 4096;
    static constexpr std::uint32_t none = 0xFFFF'FFFF;

    // The number of each row, `none` for a pool without one; `names` of all rows, in order. Throws std::bad_alloc.
    [[nodiscard]] std::vector<std::uint32_t> numbers_of(const std::vector<std::string>& names) const;
    // Before that: pools that are new get one, while there are any.
    void add(const std::vector<std::string>& names);

    void clear() noexcept { numbers_.clear(); }

private:
    using which = std::pair<std::string, std::uint32_t>;  // its name, and how many of that name come before
    [[nodiscard]] static std::vector<which> tell_apart(const std::vector<std::string>& names);

    std::map<which, std::uint32_t> numbers_;
};

}  // namespace v1
}  // namespace memwatch
