// SPDX-License-Identifier: Apache-2.0
// Documents of a hundred nodes that know their children and their root. Documents are cached for a moment; those that were
// edited hold themselves.

#include <array>
#include <memory>
#include <vector>

#include "zoo.hpp"

namespace {

struct node {
    std::shared_ptr<node> root;
    std::vector<std::shared_ptr<node>> children;
    char text[40];
};

ZOO_FUNCTION void add_children(node& parent, const std::shared_ptr<node>& root, bool is_edited) {
    parent.children.reserve(9);
    for (int i = 0; i < 9; ++i) {
        parent.children.push_back(std::make_shared<node>());
        if (is_edited) { parent.children.back()->root = root; }
    }
}

ZOO_FUNCTION std::shared_ptr<node> load_document(bool is_edited) {
    auto root = std::make_shared<node>();
    add_children(*root, root, is_edited);
    for (const auto& section : root->children) { add_children(*section, root, is_edited); }
    for (std::size_t i = 0; i < 9; ++i) { root->children[i]->children[i]->children.push_back(std::make_shared<node>()); }
    return root;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& inner = zoo.leaks("add_children", "cycle_100");
    zoo::truth& outer = zoo.leaks("load_document", "cycle_100");
    const double share_edited = zoo.random().between(0.1, 0.5);
    std::array<std::shared_ptr<node>, 8> recent;
    for (std::size_t loaded = 0; zoo.tick(std::chrono::milliseconds(20)); ++loaded) {
        const bool is_edited = zoo.random().chance(share_edited);
        recent[loaded % recent.size()] = load_document(is_edited);
        if (!is_edited) { continue; }
        inner.lost(90 * (sizeof(node) + 16), 90);
        inner.lost(10 * 9 * sizeof(std::shared_ptr<node>), 10);
        outer.lost(10 * (sizeof(node) + 16), 10);
        outer.lost(9 * sizeof(std::shared_ptr<node>), 9);
    }
    return zoo.end();
}
