// SPDX-License-Identifier: Apache-2.0
// A cache of rendered pages with a bound: it grows for about half of the run, then each new page evicts the oldest.

#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "zoo.hpp"

namespace {

class page_cache {
public:
    explicit page_cache(std::size_t most) : most_(most) {}

    ZOO_FUNCTION void insert(std::uint64_t key, std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        if (pages_.count(key) != 0) { return; }
        recent_.push_front(key);
        pages_.emplace(key, std::string(bytes, 'p'));
        if (recent_.size() > most_) {
            pages_.erase(recent_.back());
            recent_.pop_back();
        }
    }

private:
    std::size_t most_;
    std::mutex mutex_;
    std::list<std::uint64_t> recent_;
    std::unordered_map<std::uint64_t, std::string> pages_;
};

ZOO_FUNCTION void render(zoo::rng& random) {
    const std::string page(random.between(200U, 4000U), 'r');
    zoo::use(page.data());
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("page_cache::insert", "lru_cache");
    zoo.is_clean("render", "churn");
    // Two pages a beat of 5 ms and thread, all different: full after 35 to 50 % of the run.
    const double inserts = 2 * 200 * zoo.seconds() * zoo.threads();
    static page_cache cache(static_cast<std::size_t>(inserts * zoo.random().between(0.35, 0.5)));
    std::atomic<std::uint64_t> next{0};
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(5))) {
            render(self.random());
            for (int page = 0; page < 2; ++page) { cache.insert(next++, self.random().between(300U, 3000U)); }
        }
    });
    return zoo.end();
}
