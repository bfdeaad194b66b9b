// SPDX-License-Identifier: Apache-2.0
// Tokens are allocated and freed by the hundred thousand a second; one in a hundred thousand belongs to a comment that was not
// closed. In sampled runs too little to be seen; each block counts where each block is followed.

#include <string>

#include "zoo.hpp"

namespace {

struct token {
    token* next;
    char text[88];
};

ZOO_FUNCTION token* next_token(char first) {
    auto* read = new token;
    read->next = nullptr;
    read->text[0] = first;
    zoo::use(read);
    return read;
}

ZOO_FUNCTION void parse_line(zoo::rng& random, int tokens, zoo::truth& unclosed) {
    for (int i = 0; i < tokens; ++i) {
        token* const read = next_token(static_cast<char>(i));
        if (random.chance(1e-5)) {
            unclosed.lost(sizeof(token));
            continue;
        }
        delete read;
    }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unclosed = zoo.leaks("next_token", "rare_path_1e5");
    const int tokens = zoo.random().between(1600, 2200);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4) * zoo.threads())) { parse_line(self.random(), tokens, unclosed); }
    });
    return zoo.end();
}
