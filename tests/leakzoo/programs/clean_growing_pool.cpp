// SPDX-License-Identifier: Apache-2.0
// Linked: a pool that doubles when it is dry. Demand swings three to six times in the run, each time to about the same height,
// so the storage grows in the first swing or two and then stays, half of it idle.

#include <memwatch/memwatch.hpp>

#include <array>
#include <deque>
#include <vector>

#include "zoo.hpp"

namespace {

struct frame {
    std::array<char, 1400> payload{};
};

using frame_pool = memwatch::object_pool<frame>;

frame_pool& frames() {
    static auto* const pool = new frame_pool("zoo/frames", {.capacity = 64, .can_grow = true});
    return *pool;
}

class frame_queue {
public:
    ZOO_FUNCTION void queue_frame() {
        frame_pool::handle queued = frames().acquire();
        zoo::use(queued.get());
        queue_.push_back(std::move(queued));
    }
    void send_frame() { queue_.pop_front(); }
    std::size_t waiting() const { return queue_.size(); }

private:
    std::deque<frame_pool::handle> queue_;
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("frame_queue::queue_frame", "pool_high_water").also("zoo/frames");
    const double most = zoo.random().between(500.0, 3000.0) / zoo.threads();
    const double swings = zoo.random().between(3.0, 6.0);
    static std::vector<frame_queue> queues(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        frame_queue& uplink = queues[self.index()];
        double height = 1;
        while (self.tick(std::chrono::milliseconds(4))) {
            const double turn = std::fmod(self.progress() * swings, 1.0);
            if (turn < 0.01) { height = self.random().between(0.85, 1.0); }
            const double wanted = most * height * (1 - std::abs(2 * turn - 1));
            for (int fresh = 0; fresh < 2; ++fresh) { uplink.queue_frame(); }
            while (static_cast<double>(uplink.waiting()) < wanted) { uplink.queue_frame(); }
            while (static_cast<double>(uplink.waiting()) > wanted + 1) { uplink.send_frame(); }
        }
    });
    return zoo.end();
}
