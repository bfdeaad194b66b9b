// SPDX-License-Identifier: Apache-2.0
// Linked: each request caches its result under a tag for a time that is nearly half of the run. Everything escapes its trace,
// no generation has lost anything before the first results expire; then as much goes as comes.

#include <memwatch/memwatch.hpp>

#include <deque>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

memwatch::tag results_tag{"zoo/results"};

template <class Type>
using tracked = memwatch::tracked_allocator<Type>;
using result = std::basic_string<char, std::char_traits<char>, tracked<char>>;
using entry = std::pair<double, result>;

class result_cache {
public:
    ZOO_FUNCTION void remember(std::size_t size_bytes, double expires_s) {
        entries_.emplace_back(expires_s, result(size_bytes, 'r', tracked<char>{results_tag}));
    }
    void expire(double now_s) {
        for (; !entries_.empty() && entries_.front().first <= now_s; entries_.pop_front()) {}
    }

private:
    std::deque<entry, tracked<entry>> entries_{tracked<entry>{results_tag}};
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("result_cache::remember", "ttl_cache");
    const double requests = zoo.random().between(1.0, 4.0) / zoo.threads();  // a beat of 4 ms and thread
    const double ttl_s = zoo.seconds() * zoo.random().between(0.3, 0.48);
    static std::vector<result_cache> caches(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        std::uint64_t number = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = requests; self.random().chance(left); --left) {
                const memwatch::trace_scope scope{"search-" + std::to_string(++number), "/search"};
                caches[self.index()].remember(self.random().between(200U, 4000U), self.elapsed_s() + ttl_s);
            }
            caches[self.index()].expire(self.elapsed_s());
        }
    });
    return zoo.end();
}
