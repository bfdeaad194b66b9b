// SPDX-License-Identifier: Apache-2.0
// Linked: counters by label are made when a label is first seen and stay; labels are drawn evenly from a finite set that is all
// but complete by the middle of the run. Every request of every route may be the one that makes a counter.

#include <memwatch/memwatch.hpp>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

memwatch::tag counters_tag{"zoo/counters"};

template <class Type>
using tracked = memwatch::tracked_allocator<Type>;
using buckets = std::vector<std::uint64_t, tracked<std::uint64_t>>;

class counter_table {
public:
    ZOO_FUNCTION void count(std::uint64_t label, std::size_t bucket) {
        const std::lock_guard lock(mutex_);
        auto found = counters_.find(label);
        if (found == counters_.end()) {
            found = counters_.emplace(label, buckets(bucket_count, 0, tracked<std::uint64_t>{counters_tag})).first;
        }
        ++found->second[bucket % bucket_count];
    }

private:
    static constexpr std::size_t bucket_count = 60;
    using row = std::pair<const std::uint64_t, buckets>;
    std::mutex mutex_;
    std::map<std::uint64_t, buckets, std::less<>, tracked<row>> counters_{tracked<row>{counters_tag}};
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("counter_table::count", "labels");
    const double requests = zoo.random().between(3.0, 8.0) / zoo.threads();  // a beat of 4 ms and thread
    // Each label is drawn four to eight times in the first half: exp(-4) = 2 % of them are still missing then.
    const auto labels =
        static_cast<std::uint64_t>(requests * zoo.threads() * 125 * zoo.seconds() / zoo.random().between(4.0, 8.0)) + 1;
    static counter_table counters;
    zoo.on_threads([&](zoo::worker& self) {
        std::uint64_t number = 0;
        double made = 0;  // by the clock, so that a machine that is busy changes nothing
        while (self.tick(std::chrono::milliseconds(4))) {
            for (; made < requests * 250 * self.elapsed_s(); ++made, ++number) {
                const memwatch::trace_scope scope{"request-" + std::to_string(number), number % 3 == 0 ? "/read" : "/write"};
                counters.count(self.random().below(labels), self.random().next());
            }
        }
    });
    return zoo.end();
}
