// SPDX-License-Identifier: Apache-2.0
#include "footprint/anonymous_pages.hpp"

#include <algorithm>
#include <utility>

namespace memwatch {
inline namespace v1 {
namespace {

// Reading page states costs 8 bytes of kernel output a page: a reservation of a terabyte for a few pages is left alone.
constexpr std::uint64_t most_mapping_bytes = std::uint64_t{16} << 30U;
constexpr std::uint64_t most_per_resident = 64;

bool is_worth_reading(const mapping& where) noexcept {
    return where.size() <= most_mapping_bytes || where.size() / most_per_resident <= where.resident;
}

}  // namespace

bool anonymous_pages::add(const mapping& where, platform::page_reader& reader) {
    if (!is_worth_reading(where)) { return false; }
    std::vector<platform::page_state> states(where.size() / platform::page_bytes);
    if (!reader.read(where.begin, states.size(), states.data())) { return false; }
    pages_.add(where, states);
    if (!left_.empty() && left_.back().end == where.begin) {
        left_.back().end = where.end;
    } else {
        left_.push_back({where.begin, where.end});
    }
    if (where.name == "[heap]") {
        if (brk_.end != where.begin) { brk_.begin = where.begin; }
        brk_.end = where.end;
    }
    return true;
}

std::uint64_t anonymous_pages::take(std::vector<memory_range> ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const memory_range& a, const memory_range& b) { return a.begin < b.begin; });
    std::vector<memory_range> rest;
    std::uint64_t bytes = 0;
    auto next = ranges.begin();
    for (memory_range piece : left_) {
        while (next != ranges.end() && next->end <= piece.begin) { ++next; }
        for (auto each = next; each != ranges.end() && each->begin < piece.end && piece.begin < piece.end; ++each) {
            const std::uint64_t begin = std::max(each->begin, piece.begin);
            const std::uint64_t end = std::min(each->end, piece.end);
            if (begin >= end) { continue; }
            bytes += pages_.bytes_in(begin, end);
            if (piece.begin < begin) { rest.push_back({piece.begin, begin}); }
            piece.begin = end;
        }
        if (piece.begin < piece.end) { rest.push_back(piece); }
    }
    left_ = std::move(rest);
    return bytes;
}

std::uint64_t anonymous_pages::bytes_left() noexcept {
    std::uint64_t sum = 0;
    for (const memory_range& each : left_) { sum += pages_.bytes_in(each.begin, each.end); }
    return sum;
}

}  // namespace v1
}  // namespace memwatch
