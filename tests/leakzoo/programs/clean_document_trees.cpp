// SPDX-License-Identifier: Apache-2.0
// Documents as trees of shared nodes with weak pointers to their parents, open in a few dozen tabs. A tab is closed when
// another document is opened in it; a bookmark keeps a single node of an old document for a while.

#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct node {
    std::string text;
    std::weak_ptr<node> parent;
    std::vector<std::shared_ptr<node>> children;
};

ZOO_FUNCTION std::shared_ptr<node> parse_document(unsigned depth, unsigned fan, std::size_t text_bytes) {
    auto root = std::make_shared<node>();
    root->text.assign(text_bytes, 'n');
    for (unsigned child = 0; depth > 0 && child < fan; ++child) {
        root->children.push_back(parse_document(depth - 1, fan, text_bytes));
        root->children.back()->parent = root;
    }
    return root;
}

struct window {
    std::vector<std::shared_ptr<node>> tabs;
    std::shared_ptr<node> bookmark;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("parse_document", "trees");
    const double opened = zoo.random().between(0.02, 0.08) / zoo.threads();  // a beat of 4 ms and thread
    const auto tabs = static_cast<std::size_t>(opened * 250 * zoo.seconds() / zoo.random().between(6.0, 20.0)) + 1;
    static std::vector<window> windows(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        window& own = windows[self.index()];
        own.tabs.resize(tabs);
        while (self.tick(std::chrono::milliseconds(4))) {
            if (!self.random().chance(opened)) { continue; }
            auto& tab = own.tabs[self.random().below(tabs)];
            tab = parse_document(self.random().between(1U, 4U), 4, self.random().between(40U, 400U));
            if (self.random().chance(0.2)) { own.bookmark = tab->children.front(); }
        }
    });
    return zoo.end();
}
