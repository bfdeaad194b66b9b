// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which pages of a process' mappings are in memory, for asking about any range of bytes: a heap's blocks need not be resident,
// nor what lies between them. Filled from mappings and page states; a page of zeroes that was only ever read is not counted, as
// the kernel does not count it either.
//
//   mapping  0x7000..0xb000    pages  resident | absent | resident | resident      before  0 1 1 2 3
//   bytes_in(0x7800, 0xa800) = 2048 + 0 + 4096 + 2048
//
// Threads: one. Allocates: 5 bytes a page of what is added.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "footprint/memory_map.hpp"
#include "platform/address_space.hpp"

namespace memwatch {
inline namespace v1 {

class resident_map {
public:
    // A mapping and the states of its pages. By address.
    void add(const mapping& where, const std::vector<platform::page_state>& states);

    // Resident bytes of [begin, end). 0 for what was not added.
    [[nodiscard]] std::uint64_t bytes_in(std::uint64_t begin, std::uint64_t end) noexcept;
    // How far from `address` on all pages are resident, at most to `limit`; `address` itself if its page is not.
    [[nodiscard]] std::uint64_t run_end(std::uint64_t address, std::uint64_t limit) noexcept;

private:
    struct part {
        std::uint64_t begin;
        std::uint64_t end;
        std::vector<std::uint32_t> before;  // how many pages before each are resident; one more than pages
    };
    [[nodiscard]] const part* find(std::uint64_t address) noexcept;

    std::vector<part> parts_;
    std::size_t last_{};  // the part that was asked for last: questions come in order
};

}  // namespace v1
}  // namespace memwatch
