// SPDX-License-Identifier: Apache-2.0
// A program with a known heap, for other profilers: victim KEPT
//   orders::keep      KEPT blocks of 2048 bytes, kept
//   orders::churn     5000 blocks of 100 bytes, freed at once
//   orders::names     300 strings of 200 characters, kept

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace orders {

struct order {
    char payload[2048];
};

std::vector<order*>* kept;
std::vector<std::string>* list;

__attribute__((noinline)) void keep(int count) {
    for (int i = 0; i < count; ++i) {
        kept->push_back(new order);
        std::memset(kept->back(), 1, sizeof(order));
    }
}

__attribute__((noinline)) void churn(int count) {
    for (int i = 0; i < count; ++i) {
        void* volatile block = std::malloc(100);
        std::free(block);
    }
}

__attribute__((noinline)) void names(int count) {
    for (int i = 0; i < count; ++i) { list->push_back(std::string(200, 'x')); }
}

}  // namespace orders

int main(int count, char** arguments) {
    const int blocks = count > 1 ? std::atoi(arguments[1]) : 1000;
    orders::kept = new std::vector<orders::order*>;
    orders::list = new std::vector<std::string>;
    orders::keep(blocks);
    orders::churn(5000);
    orders::names(300);
    return orders::kept->empty() ? 1 : 0;
}
