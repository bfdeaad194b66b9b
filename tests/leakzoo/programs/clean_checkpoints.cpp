// SPDX-License-Identifier: Apache-2.0
// The whole state of a computation is copied every so often, and the last five copies are kept for a restart. The state itself
// is changed in place all the time.

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

using state = std::map<std::string, std::vector<double>>;

class computation {
public:
    ZOO_FUNCTION void set_up(unsigned variables, std::size_t values) {
        for (unsigned i = 0; i < variables; ++i) { state_["variable-of-the-model-" + std::to_string(i)].resize(values); }
    }
    void step() {
        for (auto& [name, values] : state_) { values[++steps_ % values.size()] += 1; }
    }
    ZOO_FUNCTION void save_checkpoint() {
        checkpoints_.push_back(state_);
        if (checkpoints_.size() > 5) { checkpoints_.pop_front(); }
    }

private:
    state state_;
    std::deque<state> checkpoints_;
    std::size_t steps_{};
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("computation::set_up", "start_up_load");
    zoo.is_clean("computation::save_checkpoint", "ring");
    const unsigned variables = zoo.random().between(20U, 120U);
    const std::size_t values = zoo.random().between(50U, 400U);
    const double save_every_s = zoo.seconds() / zoo.random().between(15.0, 40.0);
    static std::vector<computation> models(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        models[self.index()].set_up(variables, values);
        double next_save_s = self.random().unit() * save_every_s;
        while (self.tick(std::chrono::milliseconds(4))) {
            models[self.index()].step();
            if (self.elapsed_s() < next_save_s) { continue; }
            models[self.index()].save_checkpoint();
            next_save_s += save_every_s;
        }
    });
    return zoo.end();
}
