// SPDX-License-Identifier: Apache-2.0
// Linked: requests of one route fill a bounded cache of answers, so what they allocate survives their traces by design; it is
// full after 30 to 45 % of the run. Another route only reads, and allocates what ends with the request.

#include <memwatch/memwatch.hpp>

#include <deque>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

memwatch::tag answers_tag{"zoo/cached-answers"};

using answer = std::vector<char, memwatch::tracked_allocator<char>>;

class answer_cache {
public:
    ZOO_FUNCTION void remember(std::size_t size_bytes, std::size_t most) {
        answers_.emplace_back(size_bytes, 'a', memwatch::tracked_allocator<char>{answers_tag});
        if (answers_.size() > most) { answers_.pop_front(); }
    }
    ZOO_FUNCTION std::string render(std::uint64_t number) const {
        if (answers_.empty()) { return {}; }
        const answer& found = answers_[number % answers_.size()];
        return std::string(found.begin(), found.end());
    }

private:
    std::deque<answer> answers_;
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("answer_cache::remember", "fifo_cache");
    zoo.is_clean("answer_cache::render", "churn");
    const double requests = zoo.random().between(2.0, 5.0) / zoo.threads();  // a beat of 4 ms and thread
    const double writing_share = zoo.random().between(0.3, 0.8);
    const auto most =
        static_cast<std::size_t>(requests * writing_share * 250 * zoo.seconds() * zoo.random().between(0.3, 0.45)) + 1;
    static std::vector<answer_cache> caches(static_cast<std::size_t>(zoo.threads()));
    std::atomic<std::uint64_t> number{0};
    zoo.on_threads([&](zoo::worker& self) {
        answer_cache& cache = caches[self.index()];
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < requests * 250 * self.elapsed_s(); ++made) {
                const bool is_write = self.random().chance(writing_share);
                const memwatch::trace_scope scope{"request-" + std::to_string(++number), is_write ? "/answers" : "/search"};
                if (is_write) { cache.remember(self.random().between(300U, 5000U), most); }
                zoo::use(cache.render(number).data());
            }
        }
    });
    return zoo.end();
}
