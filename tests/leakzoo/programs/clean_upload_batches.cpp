// SPDX-License-Identifier: Apache-2.0
// Events wait in a batch until the batch is sent: memory rises steadily for a tenth of the run and falls to nothing, again and
// again. The last batch is still open when the program ends.

#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class uploader {
public:
    ZOO_FUNCTION void add_event(std::size_t size_bytes) { batch_.push_back(std::make_unique<std::string>(size_bytes, 'e')); }
    void send_batch() { batch_.clear(); }

private:
    std::vector<std::unique_ptr<std::string>> batch_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("uploader::add_event", "sawtooth");
    const double events = zoo.random().between(2.5, 10.0) / zoo.threads();  // a beat of 4 ms and thread
    const double period_s = zoo.seconds() / zoo.random().between(7.0, 14.0);
    const double phase_s = zoo.random().between(0.0, period_s);
    static std::vector<uploader> uploaders(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        double send_at_s = phase_s;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = events; self.random().chance(left); --left) {
                uploaders[self.index()].add_event(self.random().between(100U, 3000U));
            }
            if (self.elapsed_s() < send_at_s) { continue; }
            uploaders[self.index()].send_batch();
            send_at_s += period_s;
        }
    });
    return zoo.end();
}
