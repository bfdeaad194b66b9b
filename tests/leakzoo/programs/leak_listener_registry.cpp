// SPDX-License-Identifier: Apache-2.0
// Widgets subscribe when they are opened. Closing one removes its listener, except on the path that closes several at once.

#include <list>
#include <string>

#include "zoo.hpp"

namespace {

struct listener {
    std::uint64_t widget;
    char state[80];
};

std::list<listener*>& listeners() {
    static auto* all = new std::list<listener*>;
    return *all;
}

ZOO_FUNCTION listener* subscribe(std::uint64_t widget) {
    auto* added = new listener{widget, {}};
    listeners().push_back(added);
    return added;
}

ZOO_FUNCTION void unsubscribe(std::uint64_t widget) {
    listeners().remove_if([&](listener* one) {
        const bool is_it = one->widget == widget;
        if (is_it) { delete one; }
        return is_it;
    });
}

ZOO_FUNCTION void draw(zoo::rng& random) {
    const std::string text(random.between(40U, 900U), '#');
    zoo::use(text.data());
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& forgotten = zoo.leaks("subscribe", "listener_registry");
    zoo.is_clean("draw", "churn");
    const double share_closed_together = zoo.random().between(0.02, 0.2);
    for (std::uint64_t widget = 0; zoo.tick(std::chrono::milliseconds(2)); ++widget) {
        subscribe(widget);
        for (int frame = 0; frame < 4; ++frame) { draw(zoo.random()); }
        if (zoo.random().chance(share_closed_together)) {
            forgotten.lost(sizeof(listener));
        } else {
            unsubscribe(widget);
        }
    }
    return zoo.end();
}
