// SPDX-License-Identifier: Apache-2.0
#pragma once
// The anonymous memory of a process while it is given to whom it belongs: what was taken once cannot be taken again.
//
//   mapping 0x7000..0xf000       take {0x8000..0xa000}  ->  left  0x7000..0x8000, 0xa000..0xf000
//
// Threads: one.

#include <cstdint>
#include <vector>

#include "footprint/memory_map.hpp"
#include "footprint/resident_map.hpp"
#include "platform/address_space.hpp"

namespace memwatch {
inline namespace v1 {

struct memory_range {
    std::uint64_t begin{};
    std::uint64_t end{};
};

class anonymous_pages {
public:
    // A mapping without a file, in order of address. False: it is too large for what is in it to be looked at page by page, or
    // the kernel does not tell; then it is nobody's.
    bool add(const mapping& where, platform::page_reader& reader);

    // Resident bytes of these that nobody has taken yet. In any order.
    std::uint64_t take(std::vector<memory_range> ranges);
    // By address.
    [[nodiscard]] const std::vector<memory_range>& left() const noexcept { return left_; }
    [[nodiscard]] std::uint64_t bytes_left() noexcept;
    // The mappings named [heap], as one. Empty: begin == end.
    [[nodiscard]] memory_range brk() const noexcept { return brk_; }
    [[nodiscard]] resident_map& pages() noexcept { return pages_; }

private:
    resident_map pages_;
    std::vector<memory_range> left_;
    memory_range brk_;
};

}  // namespace v1
}  // namespace memwatch
