// SPDX-License-Identifier: Apache-2.0
// A batch that is only written three or four times in the run: long teeth, and the last one has not ended when the program
// does. What is written is freed piece by piece while the next tooth begins.

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct measurement {
    std::string station;
    std::vector<double> values;
};

class night_batch {
public:
    ZOO_FUNCTION void record(std::uint64_t station, std::size_t values) {
        auto fresh = std::make_unique<measurement>();
        fresh->station = "station " + std::to_string(station) + " of the measuring network";
        fresh->values.assign(values, 1.5);
        open_.push_back(std::move(fresh));
    }
    void close() {
        for (auto& one : open_) { closing_.push_back(std::move(one)); }
        open_.clear();
    }
    void write_some(std::size_t most) {
        for (; most > 0 && !closing_.empty(); --most) { closing_.pop_front(); }
    }

private:
    std::deque<std::unique_ptr<measurement>> open_, closing_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("night_batch::record", "sawtooth");
    const double records = zoo.random().between(2.0, 8.0) / zoo.threads();  // a beat of 4 ms and thread
    const double night_s = zoo.seconds() / zoo.random().between(3.0, 4.5);
    const auto write_speed = static_cast<std::size_t>(4 * records) + 1;  // gone in a quarter of a tooth
    static std::vector<night_batch> batches(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        night_batch& batch = batches[self.index()];
        double close_at_s = night_s;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = records; self.random().chance(left); --left) {
                batch.record(self.random().below(1000), self.random().between(10U, 200U));
            }
            batch.write_some(write_speed);
            if (self.elapsed_s() < close_at_s) { continue; }
            batch.close();
            close_at_s += night_s;
        }
    });
    return zoo.end();
}
