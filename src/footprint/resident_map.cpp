// SPDX-License-Identifier: Apache-2.0
#include "footprint/resident_map.hpp"

#include <algorithm>

namespace memwatch {
inline namespace v1 {
namespace {

using platform::page_bytes;
using platform::page_state;

// Whether pages that are not the process' alone are in its RSS: since a fork() they are, pages of zeroes are not. The mapping's
// own figure tells which.
bool counts_shared(const mapping& where, const std::vector<page_state>& states) {
    const auto own = static_cast<std::uint64_t>(std::count(states.begin(), states.end(), page_state::resident));
    const auto shared = static_cast<std::uint64_t>(std::count(states.begin(), states.end(), page_state::shared));
    const std::uint64_t pages = where.resident / page_bytes;
    return pages > own && pages - own > shared / 2;
}

}  // namespace

void resident_map::add(const mapping& where, const std::vector<page_state>& states) {
    const bool with_shared = counts_shared(where, states);
    part added{where.begin, where.end, {}};
    added.before.reserve(states.size() + 1);
    std::uint32_t count = 0;
    added.before.push_back(0);
    for (const page_state each : states) {
        count += each == page_state::resident || (with_shared && each == page_state::shared) ? 1U : 0U;
        added.before.push_back(count);
    }
    parts_.push_back(std::move(added));
}

const resident_map::part* resident_map::find(std::uint64_t address) noexcept {
    const auto holds = [&](const part& each) { return address >= each.begin && address < each.end; };
    if (last_ < parts_.size() && holds(parts_[last_])) { return &parts_[last_]; }
    const auto above = std::upper_bound(parts_.begin(), parts_.end(), address,
                                        [](std::uint64_t value, const part& each) { return value < each.end; });
    if (above == parts_.end() || !holds(*above)) { return nullptr; }
    last_ = static_cast<std::size_t>(above - parts_.begin());
    return &*above;
}

std::uint64_t resident_map::bytes_in(std::uint64_t begin, std::uint64_t end) noexcept {
    std::uint64_t sum = 0;
    while (begin < end) {
        const part* const here = find(begin);
        if (here == nullptr) {
            const auto above = std::upper_bound(parts_.begin(), parts_.end(), begin,
                                                [](std::uint64_t value, const part& each) { return value < each.begin; });
            if (above == parts_.end()) { break; }
            begin = above->begin;
            continue;
        }
        const std::uint64_t stop = std::min(end, here->end);
        const std::uint64_t first = (begin - here->begin) / page_bytes;
        const std::uint64_t last = (stop - 1 - here->begin) / page_bytes;
        const auto is_resident = [&](std::uint64_t page) { return here->before[page + 1] != here->before[page]; };
        if (first == last) {
            sum += is_resident(first) ? stop - begin : 0;
        } else {
            const std::uint64_t first_end = here->begin + (first + 1) * page_bytes;
            const std::uint64_t last_begin = here->begin + last * page_bytes;
            sum += is_resident(first) ? first_end - begin : 0;
            sum += is_resident(last) ? stop - last_begin : 0;
            sum += (here->before[last] - here->before[first + 1]) * page_bytes;
        }
        begin = stop;
    }
    return sum;
}

std::uint64_t resident_map::run_end(std::uint64_t address, std::uint64_t limit) noexcept {
    const part* const here = find(address);
    if (here == nullptr) { return address; }
    std::uint64_t page = (address - here->begin) / page_bytes;
    std::uint64_t at = address;
    while (at < limit && page + 1 < here->before.size() && here->before[page + 1] != here->before[page]) {
        ++page;
        at = here->begin + page * page_bytes;
    }
    return std::min(at, limit);
}

}  // namespace v1
}  // namespace memwatch
