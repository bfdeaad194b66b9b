// SPDX-License-Identifier: Apache-2.0
// An object of C: create makes three blocks, destroy frees the outer one and the name, and knows nothing of the newer index.

#include "zoo.hpp"

namespace {

struct table {
    char* name;
    std::uint32_t* index;
    std::size_t entries;
};

ZOO_FUNCTION char* name_of(std::uint64_t number) {
    char* const name = static_cast<char*>(std::malloc(32));
    std::snprintf(name, 32, "table %llu", static_cast<unsigned long long>(number));
    return name;
}

ZOO_FUNCTION std::uint32_t* build_index(std::size_t entries) {
    auto* const index = static_cast<std::uint32_t*>(std::calloc(entries, sizeof(std::uint32_t)));
    zoo::use(index);
    return index;
}

ZOO_FUNCTION table* table_create(std::uint64_t number, std::size_t entries, bool has_index) {
    auto* const created = static_cast<table*>(std::malloc(sizeof(table)));
    *created = table{name_of(number), has_index ? build_index(entries) : nullptr, entries};
    return created;
}

ZOO_FUNCTION void table_destroy(table* destroyed) {
    std::free(destroyed->name);
    std::free(destroyed);
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& indexes = zoo.leaks("build_index", "shallow_destroy");
    zoo.is_clean("name_of", "churn");
    zoo.is_clean("table_create", "churn");
    const double share_indexed = zoo.random().between(0.05, 1.0);
    const std::size_t entries = zoo.random().between(100U, 800U);
    zoo.on_threads([&](zoo::worker& self) {
        for (std::uint64_t number = 0; self.tick(std::chrono::milliseconds(3) * zoo.threads()); ++number) {
            const bool has_index = self.random().chance(share_indexed);
            table_destroy(table_create(number, entries, has_index));
            if (has_index) { indexes.lost(entries * sizeof(std::uint32_t)); }
        }
    });
    return zoo.end();
}
