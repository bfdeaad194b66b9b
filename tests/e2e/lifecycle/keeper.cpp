// SPDX-License-Identifier: Apache-2.0
#include "keeper.hpp"

#include <utility>
#include <vector>

namespace {

// Destroys what it keeps, last first.
struct keeper {
    std::vector<std::pair<void*, void (*)(void*)>> kept;
    ~keeper() {
        for (; !kept.empty(); kept.pop_back()) { kept.back().second(kept.back().first); }
    }
} everything;

}  // namespace

void keep_until_the_end(void* held, void (*destroy)(void*)) { everything.kept.emplace_back(held, destroy); }
