// SPDX-License-Identifier: Apache-2.0
// Linked: somebody else's parser, labelled from outside by a tag scope. It interns what it has not seen in a table that nothing
// clears, and some of what it has seen, too.

#include <memwatch/memwatch.hpp>

#include "zoo.hpp"

namespace {

struct symbol {
    symbol* next;
    std::uint64_t hash;
    char name[112];
};

symbol* table[256];

ZOO_FUNCTION symbol* intern_symbol(std::uint64_t hash, bool is_looked_up) {
    symbol*& chain = table[hash % 256];
    for (symbol* known = chain; is_looked_up && known != nullptr; known = known->next) {
        if (known->hash == hash) { return known; }
    }
    chain = new symbol{chain, hash, {}};
    zoo::use(chain);
    return chain;
}

ZOO_FUNCTION std::uint64_t parse(zoo::rng& random, double share_qualified, zoo::truth& again) {
    char* const text = static_cast<char*>(std::malloc(3000));
    zoo::fill(text, 3000);
    std::uint64_t hashes = 0;
    for (int i = 0; i < 8; ++i) {
        const std::uint64_t hash = random.zipf(500);
        const bool is_qualified = random.chance(share_qualified);
        hashes += intern_symbol(hash, !is_qualified)->hash;
        if (is_qualified) { again.lost(sizeof(symbol)); }
    }
    std::free(text);
    return hashes;
}

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& again = zoo.leaks("intern_symbol", "labelled");
    zoo.is_clean("parse", "churn");
    const memwatch::tag parser_tag{"zoo/parser"};
    const double share_qualified = zoo.random().between(0.02, 0.1);
    while (zoo.tick(std::chrono::milliseconds(2))) {
        const memwatch::tag_scope parsing{parser_tag};
        parse(zoo.random(), share_qualified, again);
    }
    return zoo.end();
}
