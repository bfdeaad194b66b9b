// SPDX-License-Identifier: Apache-2.0
// A cache in front of a catalogue whose pages are asked for by Zipf's law, first in, first out. Popular pages come at once,
// rare ones ever more slowly, so the curve bends long before the bound: what 40 % of the run's requests bring.

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "zoo.hpp"

namespace {

class renderings {
public:
    ZOO_FUNCTION void render(std::uint64_t rank, std::size_t size_bytes, std::size_t most) {
        auto& slot = by_rank_[rank];
        if (slot != nullptr) { return; }
        slot = std::make_unique<std::vector<char>>(size_bytes, 'r');
        in_order_.push_back(rank);
        if (in_order_.size() > most) {
            by_rank_.erase(in_order_.front());
            in_order_.pop_front();
        }
    }

private:
    std::unordered_map<std::uint64_t, std::unique_ptr<std::vector<char>>> by_rank_;
    std::deque<std::uint64_t> in_order_;
};

// How many different pages that many draws touch when the page of rank k has the share 1 / (k ln pages).
double expected_distinct(double pages, double draws) {
    double distinct = 0;
    for (double rank = 1; rank <= pages; ++rank) { distinct += 1 - std::exp(-draws / (rank * std::log(pages))); }
    return distinct;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("renderings::render", "fifo_cache");
    const std::uint64_t pages = zoo.random().between(20'000U, 80'000U);
    const double requests = zoo.random().between(6.0, 12.0) / zoo.threads();  // a beat of 4 ms and thread
    const auto most =
        static_cast<std::size_t>(expected_distinct(static_cast<double>(pages), 0.4 * requests * 250 * zoo.seconds()));
    static std::vector<renderings> caches(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < requests * 250 * self.elapsed_s(); ++made) {
                caches[self.index()].render(self.random().zipf(pages), self.random().between(300U, 3000U), most);
            }
        }
    });
    return zoo.end();
}
