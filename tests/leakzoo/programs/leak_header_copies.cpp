// SPDX-License-Identifier: Apache-2.0
// strdup for each value of a header: those that are replaced by a later header of the same name are forgotten.

#include <array>

#include "zoo.hpp"

namespace {

struct headers {
    std::array<char*, 16> values{};
};

ZOO_FUNCTION void set_header(headers& of, std::size_t name, const char* value) { of.values[name] = strdup(value); }

ZOO_FUNCTION void free_headers(headers& of) {
    for (char*& value : of.values) {
        std::free(value);
        value = nullptr;
    }
}

ZOO_FUNCTION void parse_headers(zoo::rng& random, zoo::truth& replaced) {
    headers parsed;
    char value[512];
    for (int line = 0; line < 8; ++line) {
        const std::size_t bytes = random.between(20U, 500U);
        std::memset(value, 'v', bytes);
        value[bytes] = '\0';
        const std::size_t name = random.below(parsed.values.size());
        const char* const before = parsed.values[name];
        if (before != nullptr) { replaced.lost(std::strlen(before) + 1); }
        set_header(parsed, name, value);
    }
    free_headers(parsed);
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& replaced = zoo.leaks("set_header", "c_strings");
    const std::chrono::milliseconds period(zoo.random().between(4, 12));
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(period * zoo.threads())) { parse_headers(self.random(), replaced); }
    });
    return zoo.end();
}
