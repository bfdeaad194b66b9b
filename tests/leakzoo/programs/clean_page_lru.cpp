// SPDX-License-Identifier: Apache-2.0
// A page cache that evicts the least recently used page. Most reads bring a new page, so it fills evenly for a third to a
// half of the run; from then on each page that comes puts another one out, while popular ones stay for ever.

#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "zoo.hpp"

namespace {

struct page {
    std::uint64_t number{};
    std::string text;
};

class page_cache {
public:
    explicit page_cache(std::size_t most) : most_(most) {}

    ZOO_FUNCTION void read_page(std::uint64_t number, std::size_t size_bytes) {
        if (const auto known = by_number_.find(number); known != by_number_.end()) {
            by_use_.splice(by_use_.begin(), by_use_, known->second);
            return;
        }
        by_use_.push_front(page{number, std::string(size_bytes, 'p')});
        by_number_.emplace(number, by_use_.begin());
        if (by_use_.size() > most_) {
            by_number_.erase(by_use_.back().number);
            by_use_.pop_back();
        }
    }

private:
    std::size_t most_;
    std::list<page> by_use_;
    std::unordered_map<std::uint64_t, std::list<page>::iterator> by_number_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("page_cache::read_page", "lru_cache");
    // Reads a beat of 4 ms and thread; full after 30 to 50 % of the run. Every fourth read is of the ten favourites.
    const double reads = zoo.random().between(3.0, 6.0) / zoo.threads();
    const auto most = static_cast<std::size_t>(0.75 * reads * 250 * zoo.seconds() * zoo.random().between(0.3, 0.5)) + 10;
    static std::vector<page_cache> caches(static_cast<std::size_t>(zoo.threads()), page_cache(most));
    zoo.on_threads([&](zoo::worker& self) {
        std::uint64_t newest = 10;
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < reads * 250 * self.elapsed_s(); ++made) {
                const std::uint64_t number = self.random().chance(0.25) ? self.random().below(10) : ++newest;
                caches[self.index()].read_page(number, self.random().between(500U, 6000U));
            }
        }
    });
    return zoo.end();
}
