// SPDX-License-Identifier: Apache-2.0
// A cache, tagged, that nothing is ever evicted from. The rule: cache_without_bound.
#include <unordered_map>

#include "two_dumps.hpp"

namespace web {

struct answer {
    char body[300];
};

using entry = std::pair<const long, answer>;
using answers = std::unordered_map<long, answer, std::hash<long>, std::equal_to<long>, memwatch::tracked_allocator<entry>>;

answers& cache() {
    static answers all(16, std::hash<long>{}, std::equal_to<long>{},
                       memwatch::tracked_allocator<entry>{memwatch::tag{"answer-cache"}});
    return all;
}

[[gnu::noinline]] void look_up(long key) { cache().try_emplace(key); }

}  // namespace web

int main(int count, char** arguments) {
    long next = 0;
    return leaks::run(count, arguments, 2000, [&](int) { web::look_up(++next); });
}
