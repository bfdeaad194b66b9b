// SPDX-License-Identifier: Apache-2.0
// A small service that ends after its work. Built twice: as it was (base), and with a change that leaks (head: GATE_HEAD),
// which also moves every line and adds calls, as real changes do. The cache is warm in both; what it holds is the same.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace orders {

struct order {
    char body[1000];
};

#ifdef GATE_HEAD
// A comment that moves what is below.
//
//
//
[[gnu::noinline]] int check(const std::string& name) { return name.empty() ? 0 : 1; }
#endif

std::vector<order*>& cache() {
    static auto& list = *new std::vector<order*>;
    return list;
}

[[gnu::noinline]] void fill_cache() {
    cache().reserve(2000);
    for (int i = 0; i < 2000; ++i) { cache().push_back(new order{}); }
}

[[gnu::noinline]] void audit(int number) {
#ifdef GATE_HEAD
    auto* const line = new char[4096];  // nobody keeps it
    std::snprintf(line, 4096, "order %d", number);
#else
    std::vector<char> line(4096);
    std::snprintf(line.data(), line.size(), "order %d", number);
#endif
}

[[gnu::noinline]] void serve(int requests) {
    for (int i = 0; i < requests; ++i) { audit(i); }
}

}  // namespace orders

int main(int count, char** words) {
    orders::fill_cache();
#ifdef GATE_HEAD
    if (orders::check(words[0]) == 0) { return 2; }
#endif
    orders::serve(count > 1 ? std::atoi(words[1]) : 256);
    return 0;
}
