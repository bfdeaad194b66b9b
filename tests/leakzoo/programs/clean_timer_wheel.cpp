// SPDX-License-Identifier: Apache-2.0
// Timeouts on a wheel of slots: most timers are cancelled long before they fire, those that are not wait up to a whole turn of
// the wheel, a sixth of the run.

#include <list>
#include <memory>
#include <vector>

#include "zoo.hpp"

namespace {

struct timer {
    std::vector<char> closure;
    bool is_cancelled{};
};

class timer_wheel {
public:
    explicit timer_wheel(std::size_t slots = 1) : slots_(slots) {}

    ZOO_FUNCTION void arm_timer(std::size_t ahead, std::size_t closure_bytes) {
        auto armed = std::make_unique<timer>();
        armed->closure.resize(closure_bytes);
        slots_[(now_ + ahead) % slots_.size()].push_back(std::move(armed));
    }
    // The newest timer of a slot is cancelled.
    void cancel(std::size_t ahead) {
        auto& slot = slots_[(now_ + ahead) % slots_.size()];
        if (!slot.empty()) { slot.pop_back(); }
    }
    void turn() { slots_[now_++ % slots_.size()].clear(); }
    std::size_t slots() const { return slots_.size(); }

private:
    std::vector<std::list<std::unique_ptr<timer>>> slots_;
    std::size_t now_{};
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("timer_wheel::arm_timer", "timer_wheel");
    const double timers = zoo.random().between(4.0, 10.0) / zoo.threads();  // a beat of 4 ms and thread
    const double cancelled = zoo.random().between(0.7, 0.95);
    const auto slots = static_cast<std::size_t>(250 * zoo.seconds() / 6);  // one a beat
    static std::vector<timer_wheel> wheels(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        timer_wheel& wheel = wheels[self.index()] = timer_wheel(slots);
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = timers; self.random().chance(left); --left) {
                const std::size_t ahead = 1 + self.random().below(slots - 1);
                wheel.arm_timer(ahead, self.random().between(100U, 2500U));
                if (self.random().chance(cancelled)) { wheel.cancel(ahead); }
            }
            wheel.turn();
        }
    });
    return zoo.end();
}
