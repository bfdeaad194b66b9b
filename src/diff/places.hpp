// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where in a function something was called, in two builds. A place is a line relative to the function's start and what is
// called there. A function that was edited keeps most of its calls, but on other lines:
//
//   BEFORE  handle   +2 parse   +5 new Order   +9 new Order         AFTER  +2 parse   +6 new Order   +10 new Order
//
// Calls that stand once on each side are the same (parse), and say how far the lines around them moved. Of several equal calls
//   - as many on both sides are the same in order, unless that takes a line that did not move for another one, or the calls
//     around say otherwise;
//   - those that the calls above and below them agree on are the same;
//   - else lines that did not move are the same, unless one shift of all of them explains more.
// Anything else is a place of its own: not guessed.

#include <array>
#include <cstdint>
#include <tuple>
#include <vector>

namespace memwatch::inline v1 {

struct place {
    std::uint32_t function;
    std::uint64_t callee;
    std::size_t side;
    std::uint32_t line;  // relative; 0 = unknown

    [[nodiscard]] auto order() const { return std::tie(function, callee, side, line); }
    friend bool operator<(const place& a, const place& b) { return a.order() < b.order(); }
    friend bool operator==(const place& a, const place& b) { return a.order() == b.order(); }
};

class places {
public:
    void add(const place& p) { places_.push_back(p); }
    // Call once, after the last add().
    void align();
    // Equal for what is the same place on both sides. `p` was added.
    [[nodiscard]] std::uint32_t number_of(const place& p) const;

private:
    using lines = std::vector<std::uint32_t>;
    // Two lines of one callee that are the same place.
    struct pair {
        std::uint32_t before;
        std::uint32_t after;
    };

    void align_function(std::size_t from, std::size_t to);
    [[nodiscard]] static std::vector<pair> pairs_of(const lines& before, const lines& after, const std::vector<pair>& anchors);
    void join(std::uint32_t function, std::uint64_t callee, pair p);

    std::vector<place> places_;  // sorted, distinct
    std::vector<std::uint32_t> numbers_;
};

}  // namespace memwatch::inline v1
