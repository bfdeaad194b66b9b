// SPDX-License-Identifier: Apache-2.0
// Loaded into the victim while it runs.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C" [[gnu::noinline]] void module_leaks_here(int count) {
    for (int i = 0; i < count; ++i) {
        void* const block = std::malloc(20'000);
        std::memset(block, 1, 20'000);
        asm volatile("" ::"r"(block) : "memory");
    }
}

extern "C" void module_churns(int count) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) { names.emplace_back(static_cast<std::size_t>(100 + i), 'm'); }
}
