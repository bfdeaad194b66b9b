// SPDX-License-Identifier: Apache-2.0
// Few, large and rare: decoded frames of 50 to 500 KiB, a handful alive at a time; every so often one is kept as a still for a
// while, at most eight of them. Small metadata goes with each.

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct frame {
    std::string metadata;
    std::vector<std::uint32_t> pixels;
};

class player {
public:
    ZOO_FUNCTION void decode_frame(std::size_t pixels) {
        auto decoded = std::make_shared<frame>();
        decoded->metadata = "frame " + std::to_string(++number_) + " of the stream, decoded in software";
        decoded->pixels.assign(pixels, 0xff00ffU);
        shown_.push_back(std::move(decoded));
        if (shown_.size() > 4) { shown_.pop_front(); }
    }
    ZOO_FUNCTION void keep_still() {
        stills_.push_back(shown_.back());
        if (stills_.size() > 8) { stills_.pop_front(); }
    }

private:
    std::deque<std::shared_ptr<frame>> shown_, stills_;
    std::uint64_t number_{};
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("player::decode_frame", "large_and_rare");
    zoo.is_clean("player::keep_still", "ring");
    const std::chrono::milliseconds pause(zoo.random().between(20, 60) * std::min(zoo.threads(), 4));
    const double still_share = 0.04 * static_cast<double>(pause.count()) / zoo.seconds();  // some 40 a run and thread
    static std::vector<player> players(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(pause)) {
            players[self.index()].decode_frame(self.random().between(12'500U, 125'000U));
            if (self.random().chance(still_share)) { players[self.index()].keep_still(); }
        }
    });
    return zoo.end();
}
