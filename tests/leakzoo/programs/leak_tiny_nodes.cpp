// SPDX-License-Identifier: Apache-2.0
// Tiny and often: a tokenizer chains small nodes and frees the chain from its second node on.

#include "zoo.hpp"

namespace {

struct node {
    node* next;
    std::uint32_t kind;
    std::uint32_t position;
};

ZOO_FUNCTION node* chain_of(std::uint32_t length) {
    node* first = nullptr;
    for (std::uint32_t position = 0; position < length; ++position) { first = new node{first, 1, position}; }
    return first;
}

ZOO_FUNCTION void free_after(const node* before) {
    for (node* at = before->next; at != nullptr;) {
        node* const next = at->next;
        delete at;
        at = next;
    }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& first_ones = zoo.leaks("chain_of", "tiny_often");
    const std::uint32_t longest = zoo.random().between(4U, 12U);
    const int lines = zoo.random().between(4, 10);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            for (int i = 0; i < lines; ++i) {
                free_after(chain_of(self.random().between(2U, longest)));
                first_ones.lost(sizeof(node));
            }
        }
    });
    return zoo.end();
}
