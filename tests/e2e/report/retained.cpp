// SPDX-License-Identifier: Apache-2.0
// A peak of small blocks is freed but for one in a hundred: the allocator keeps the pages. The rule: allocator_retention.
#include <vector>

#include "two_dumps.hpp"

namespace {

std::vector<char*>& kept() {
    static std::vector<char*> all;
    return all;
}

[[gnu::noinline]] void peak() {
    std::vector<char*> blocks(60'000);
    for (char*& block : blocks) {
        block = new char[1000];
        block[0] = block[999] = 1;
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) { i % 100 == 0 ? kept().push_back(blocks[i]) : delete[] blocks[i]; }
}

}  // namespace

int main(int count, char** arguments) {
    kept().reserve(100'000);
    int calls = 0;
    return leaks::run(count, arguments, 4, [&](int) {
        if (++calls == 3) { peak(); }  // two calls are before the first snapshot
    });
}
