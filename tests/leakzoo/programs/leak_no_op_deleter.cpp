// SPDX-License-Identifier: Apache-2.0
// Frames of a capture card are wrapped in a shared pointer whose deleter does nothing, for the card owns them. The software
// fallback uses the same wrapper around a block of its own.

#include <memory>

#include "zoo.hpp"

namespace {

using frame = std::shared_ptr<unsigned char>;

unsigned char card_memory[4][4096];

ZOO_FUNCTION unsigned char* capture_in_software(std::size_t bytes) {
    auto* const captured = new unsigned char[bytes];
    zoo::fill(captured, bytes);
    return captured;
}

ZOO_FUNCTION frame wrap(unsigned char* pixels) {
    return frame(pixels, [](unsigned char*) {});
}

ZOO_FUNCTION void show(const frame& shown) { zoo::use(shown.get()); }

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& software = zoo.leaks("capture_in_software", "no_deleter");
    zoo.is_clean("wrap", "churn");
    const double share_in_software = zoo.random().between(0.05, 0.3);
    const std::size_t bytes = zoo.random().between(1000U, 4096U);
    zoo.on_threads([&](zoo::worker& self) {
        for (std::size_t number = 0; self.tick(std::chrono::milliseconds(4) * zoo.threads()); ++number) {
            const bool is_in_software = self.random().chance(share_in_software);
            show(wrap(is_in_software ? capture_in_software(bytes) : card_memory[number % 4]));
            if (is_in_software) { software.lost(bytes); }
        }
    });
    return zoo.end();
}
