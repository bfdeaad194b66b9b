// SPDX-License-Identifier: Apache-2.0
// getline allocates the line when it is given none. Reading a file of settings, each comment line starts over with a null
// pointer.

#include "zoo.hpp"

namespace {

ZOO_FUNCTION char* read_line(std::FILE* file) {
    char* line = nullptr;
    std::size_t reserved = 0;
    if (getline(&line, &reserved, file) < 0) {
        std::free(line);
        return nullptr;
    }
    return line;
}

ZOO_FUNCTION int read_settings(char* text, std::size_t bytes, zoo::truth& comments) {
    std::FILE* const file = fmemopen(text, bytes, "r");
    if (file == nullptr) { return -1; }
    int settings = 0;
    for (char* line = read_line(file); line != nullptr; line = read_line(file)) {
        if (line[0] == '#') {
            comments.lost(120);
            continue;
        }
        ++settings;
        std::free(line);
    }
    std::fclose(file);
    return settings;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& comments = zoo.leaks("read_line", "c_library");
    zoo.is_clean("read_settings", "churn");
    static char text[] = "# where to listen\nport = 9467\n# how long to wait\npatience = 3s\nservice = orders\nlog = warning\n";
    const std::chrono::milliseconds period(zoo.random().between(5, 12));
    while (zoo.tick(period)) { read_settings(text, sizeof text - 1, comments); }
    return zoo.end();
}
