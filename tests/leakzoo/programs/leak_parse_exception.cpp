// SPDX-License-Identifier: Apache-2.0
// A parser that cleans up after itself, unless the message is malformed and an exception passes through.

#include <stdexcept>

#include "zoo.hpp"

namespace {

ZOO_FUNCTION std::size_t parse_message(std::size_t bytes, bool is_malformed) {
    char* const fields = new char[bytes];
    zoo::fill(fields, bytes);
    if (is_malformed) { throw std::runtime_error("no separator"); }
    const std::size_t count = static_cast<std::size_t>(fields[bytes / 2]);
    delete[] fields;
    return count;
}

ZOO_FUNCTION bool handle(std::size_t bytes, bool is_malformed) {
    try {
        return parse_message(bytes, is_malformed) > 0;
    } catch (const std::runtime_error&) { return false; }
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unwound = zoo.leaks("parse_message", "exception_path");
    const double share_malformed = zoo.random().between(0.02, 0.1);
    const std::size_t largest = zoo.random().between(400U, 3000U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(1) * zoo.threads())) {
            const std::size_t bytes = self.random().between(largest / 4, largest);
            if (!handle(bytes, self.random().chance(share_malformed))) { unwound.lost(bytes); }
        }
    });
    return zoo.end();
}
