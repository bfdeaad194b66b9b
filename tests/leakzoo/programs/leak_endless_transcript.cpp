// SPDX-License-Identifier: Apache-2.0
// One buffer for everything that was ever said, made larger by realloc with each line. A leak of a single block: no number of
// objects proves it, so it is reported apart.

#include "zoo.hpp"

namespace {

char* transcript = nullptr;
std::size_t used = 0;
std::size_t reserved = 0;

ZOO_FUNCTION std::size_t append_line(const char* line, std::size_t bytes) {
    std::size_t grown = 0;
    if (used + bytes > reserved) {
        grown = 65536;
        reserved += grown;
        transcript = static_cast<char*>(std::realloc(transcript, reserved));
    }
    std::memcpy(transcript + used, line, bytes);
    used += bytes;
    zoo::use(transcript);
    return grown;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& said = zoo.leaks("append_line", "single_block");
    static char line[2000];
    zoo::fill(line, sizeof line);
    const std::size_t longest = zoo.random().between(500U, sizeof line);
    bool is_first = true;
    while (zoo.tick(std::chrono::milliseconds(2))) {
        const std::size_t grown = append_line(line, zoo.random().between(std::size_t{100}, longest));
        if (grown == 0) { continue; }
        said.lost(grown, is_first ? 1 : 0);
        is_first = false;
    }
    return zoo.end();
}
