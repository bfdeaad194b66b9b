// SPDX-License-Identifier: Apache-2.0
// A cache of compiled patterns hands out copies. Whoever compares gives them back; one comparison in a thousand ends in a
// branch that swaps the pointers and frees only one.

#include <utility>

#include "zoo.hpp"

namespace {

struct pattern {
    char code[960];
};

ZOO_FUNCTION pattern* compile(char letter) {
    auto* compiled = new pattern;
    zoo::fill(compiled->code, sizeof compiled->code, letter);
    return compiled;
}

ZOO_FUNCTION bool compare(bool is_odd, zoo::truth& swapped) {
    pattern* left = compile('l');
    pattern* right = compile('r');
    const bool is_less = left->code[1] < right->code[1];
    if (is_odd) {
        std::swap(left, right);
        left = right;
        delete left;
        swapped.lost(sizeof(pattern));
        return !is_less;
    }
    delete left;
    delete right;
    return is_less;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& swapped = zoo.leaks("compile", "rare_path_1e3");
    const auto comparisons = zoo.random().between(20, 40);  // a beat
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(1) * zoo.threads())) {
            for (int i = 0; i < comparisons; ++i) { compare(self.random().chance(1e-3), swapped); }
        }
    });
    return zoo.end();
}
