// SPDX-License-Identifier: Apache-2.0
#pragma once
// Births grouped by age: fine among the young, coarse among the old, the same groups for all sites, so that a site needs one
// number a group. Group i takes what was born in (start(i), start(i + 1)]; a look ends the youngest group. Beyond `capacity`
// the two neighbours merge that are shortest beside their age, so lengths come to grow with age, at any number of looks:
//
//   after 80 looks (epochs):  ages up to 1 2 3 4 5 6 8 12 16 24 32 48 64 80
//   after a day of 8,640:     1 2 3 6 9 18 36 72 118 298 587 1784 4147 8640
//
// A start is a moment of a look, or the beginning of all time. Threads: one at a time.

#include <array>
#include <cstddef>
#include <cstdint>

namespace memwatch {
inline namespace v1 {

class birth_groups {
public:
    static constexpr std::size_t capacity = 14;
    static constexpr std::size_t none = capacity;

    void clear() noexcept { count_ = 0; }

    // The next group would be the one after the last. Before it is made: which two have to merge, (i, i + 1); `none`: no need.
    [[nodiscard]] std::size_t crowded(std::uint64_t now_ns) const noexcept {
        if (count_ < capacity) { return none; }
        std::size_t best = 0;
        double least = 0;
        for (std::size_t i = 0; i + 1 < count_; ++i) {
            const double length = static_cast<double>(end(i + 1) - start(i));
            const double age = static_cast<double>(now_ns - end(i + 1));
            const double cost = length / (age + length);
            if (i == 0 || cost < least) { least = cost, best = i; }
        }
        return best;
    }
    void merge(std::size_t i) noexcept {
        for (std::size_t k = i; k + 1 < count_; ++k) { ends_[k] = ends_[k + 1]; }
        --count_;
    }
    // Births in (the last end, `end_ns`]. There is room.
    void append(std::uint64_t end_ns) noexcept { ends_[count_++] = end_ns; }
    // The youngest group lasts longer.
    void extend(std::uint64_t end_ns) noexcept { ends_[count_ - 1] = end_ns; }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t start(std::size_t i) const noexcept { return i == 0 ? origin_ns_ : ends_[i - 1]; }
    [[nodiscard]] std::uint64_t end(std::size_t i) const noexcept { return ends_[i]; }
    [[nodiscard]] double length_ns(std::size_t i) const noexcept { return static_cast<double>(end(i) - start(i)); }
    // When the watching began; the first group's start.
    void set_origin(std::uint64_t origin_ns) noexcept { origin_ns_ = origin_ns; }

    // The group of a birth. What is younger than the last look belongs to the youngest.
    [[nodiscard]] std::size_t of(std::uint64_t birth_ns) const noexcept {
        std::size_t i = 0;
        while (i + 1 < count_ && birth_ns > ends_[i]) { ++i; }
        return i;
    }

private:
    std::array<std::uint64_t, capacity> ends_{};
    std::uint64_t origin_ns_{0};
    std::size_t count_{0};
};

}  // namespace v1
}  // namespace memwatch
