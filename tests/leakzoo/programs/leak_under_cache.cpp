// SPDX-License-Identifier: Apache-2.0
// A page cache of many megabytes, full soon and busy ever after, beside a small loss of request notes.

#include <list>
#include <string>
#include <unordered_map>

#include "zoo.hpp"

namespace {

struct page {
    std::uint64_t number{};
    std::string body;
};

std::list<page> by_age;
std::unordered_map<std::uint64_t, std::list<page>::iterator> by_number;

ZOO_FUNCTION void insert_page(std::uint64_t number, std::size_t bytes) {
    by_age.emplace_front();
    by_age.front().number = number;
    by_age.front().body.assign(bytes, 'p');
    by_number[number] = by_age.begin();
}

ZOO_FUNCTION void look_up(std::uint64_t number, std::size_t bytes, std::size_t capacity) {
    const auto found = by_number.find(number);
    if (found != by_number.end()) { return by_age.splice(by_age.begin(), by_age, found->second); }
    if (by_age.size() == capacity) {
        by_number.erase(by_age.back().number);
        by_age.pop_back();
    }
    insert_page(number, bytes);
}

ZOO_FUNCTION void note_request(std::size_t bytes) {
    auto* const noted = new std::string(bytes, 'n');
    zoo::use(noted->data());
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& notes = zoo.leaks("note_request", "under_cache");
    zoo.is_clean("insert_page", "lru_cache");
    const std::size_t capacity = zoo.random().between(1500U, 3000U);
    const std::size_t note_bytes = zoo.random().between(150U, 500U);
    while (zoo.tick(std::chrono::milliseconds(2))) {
        for (int i = 0; i < 4; ++i) { look_up(zoo.random().zipf(100'000), zoo.random().between(4000U, 12000U), capacity); }
        if (zoo.random().chance(0.2)) {
            note_request(note_bytes);
            notes.lost(note_bytes);
        }
    }
    return zoo.end();
}
