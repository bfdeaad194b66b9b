// SPDX-License-Identifier: Apache-2.0
// A neighbour is taken out of service at some moment in the middle, and this one gets three times its traffic from then on.
// Orders live as long as before: the level steps up once and stays there.

#include <list>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct order {
    double done_s{};
    std::vector<std::string> lines;
};

class order_book {
public:
    ZOO_FUNCTION void take_order(double done_s, unsigned lines) {
        order& taken = open_.emplace_back(order{done_s, {}});
        for (unsigned line = 0; line < lines; ++line) {
            taken.lines.push_back("article 4711-" + std::to_string(line) + ", one piece, to be wrapped as a gift");
        }
    }
    void finish_until(double now_s) {
        open_.remove_if([now_s](const order& one) { return one.done_s <= now_s; });
    }

private:
    std::list<order> open_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("order_book::take_order", "load_step");
    const double orders = zoo.random().between(0.5, 1.5) / zoo.threads();  // a beat of 4 ms and thread, before
    const double step_at = zoo.random().between(0.3, 0.5), work_s = zoo.seconds() / zoo.random().between(25.0, 60.0);
    static std::vector<order_book> books(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = self.progress() < step_at ? orders : 3 * orders; self.random().chance(left); --left) {
                const double stay_s = std::min(4 * work_s, self.random().exponential(work_s));
                books[self.index()].take_order(self.elapsed_s() + stay_s, self.random().between(1U, 25U));
            }
            books[self.index()].finish_until(self.elapsed_s());
        }
    });
    return zoo.end();
}
