// SPDX-License-Identifier: Apache-2.0
// Thumbnails under a budget of bytes: sizes are heavy-tailed, so one large picture puts dozens of small ones out. Which one
// goes is drawn at random, so that some live very long.

#include <unordered_map>
#include <vector>

#include "zoo.hpp"

namespace {

class thumbnails {
public:
    ZOO_FUNCTION void add_thumbnail(std::size_t size_bytes, std::size_t budget_bytes, zoo::rng& random) {
        pictures_.emplace_back(size_bytes, 't');
        held_bytes_ += size_bytes;
        while (held_bytes_ > budget_bytes) {
            std::vector<char>& out = pictures_[random.below(pictures_.size())];
            held_bytes_ -= out.size();
            out.swap(pictures_.back());
            pictures_.pop_back();
        }
    }

private:
    std::vector<std::vector<char>> pictures_;
    std::size_t held_bytes_{};
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("thumbnails::add_thumbnail", "random_eviction");
    const double pictures = zoo.random().between(2.0, 6.0) / zoo.threads();  // a beat of 4 ms and thread
    const double least_bytes = 500, mean_bytes = 1500;                       // of a Pareto of 1.5: the mean is thrice the least
    const double budget_bytes = pictures * 250 * zoo.seconds() * mean_bytes * zoo.random().between(0.1, 0.3);
    static std::vector<thumbnails> albums(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < pictures * 250 * self.elapsed_s(); ++made) {
                const double size_bytes = std::min(budget_bytes / 4, self.random().pareto(least_bytes, 1.5));
                albums[self.index()].add_thumbnail(static_cast<std::size_t>(size_bytes), static_cast<std::size_t>(budget_bytes),
                                                   self.random());
            }
        }
    });
    return zoo.end();
}
