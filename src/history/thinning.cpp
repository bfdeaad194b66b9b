// SPDX-License-Identifier: Apache-2.0
#include "history/thinning.hpp"

#include <algorithm>
#include <numeric>

namespace memwatch {
inline namespace v1 {
namespace history {
namespace {

std::uint64_t age_of(const past_size& each, std::uint64_t now_unix_ns) {
    return now_unix_ns > each.taken_unix_ns ? now_unix_ns - each.taken_unix_ns : 0;
}

// Of the future, too: after the clock was set back those must not stay dense at the cost of what is taken now.
std::uint64_t distance(const past_size& each, std::uint64_t now_unix_ns) {
    return std::max(each.taken_unix_ns, now_unix_ns) - std::min(each.taken_unix_ns, now_unix_ns);
}

// Of those in `left`, the place in it of the one that is missed least.
std::size_t least_missed(const std::vector<past_size>& all, const std::vector<std::size_t>& left, std::uint64_t now_unix_ns) {
    if (left.size() <= 2) { return 0; }
    std::size_t best = 1;
    double best_loss = 0;
    for (std::size_t i = 1; i + 1 < left.size(); ++i) {
        const auto gap_ns = static_cast<double>(all[left[i + 1]].taken_unix_ns - all[left[i - 1]].taken_unix_ns);
        const double loss = gap_ns / (static_cast<double>(distance(all[left[i]], now_unix_ns)) + 1);
        if (i == 1 || loss < best_loss) {
            best = i;
            best_loss = loss;
        }
    }
    return best;
}

}  // namespace

std::vector<std::size_t> superfluous(const std::vector<past_size>& all, const history_bounds& within,
                                     std::uint64_t now_unix_ns) {
    std::vector<std::size_t> gone;
    std::vector<std::size_t> left;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool is_too_old = age_of(all[i], now_unix_ns) > within.age_ns;
        (is_too_old ? gone : left).push_back(i);
        if (!is_too_old) { bytes += all[i].bytes; }
    }
    while (!left.empty() && (bytes > within.bytes || left.size() > within.count)) {
        const std::size_t place = least_missed(all, left, now_unix_ns);
        bytes -= all[left[place]].bytes;
        gone.push_back(left[place]);
        left.erase(left.begin() + static_cast<std::ptrdiff_t>(place));
    }
    std::sort(gone.begin(), gone.end());
    return gone;
}

}  // namespace history
}  // namespace v1
}  // namespace memwatch
