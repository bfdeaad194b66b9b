// SPDX-License-Identifier: Apache-2.0
// Calls last for a second or so, some much longer. At the end of a call its record goes, unless the caller hung up within the
// menu: that path was written later.

#include <map>
#include <queue>
#include <vector>

#include "zoo.hpp"

namespace {

struct call {
    char audio[700];
    bool has_hung_up_in_menu = false;
};

struct ending {
    double at_s;
    call* ended;
    bool operator<(const ending& other) const { return at_s > other.at_s; }
};

std::priority_queue<ending> endings;

ZOO_FUNCTION call* accept_call() {
    auto* const accepted = new call;
    zoo::fill(accepted->audio, sizeof accepted->audio, '~');
    return accepted;
}

ZOO_FUNCTION bool hang_up(call* ended) {
    if (ended->has_hung_up_in_menu) { return false; }
    delete ended;
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& in_menu = zoo.leaks("accept_call", "long_lived_site");
    const double share_in_menu = zoo.random().between(0.08, 0.3);
    const double mean_s = zoo.seconds() * zoo.random().between(0.02, 0.06);
    while (zoo.tick(std::chrono::milliseconds(3))) {
        call* const accepted = accept_call();
        accepted->has_hung_up_in_menu = zoo.random().chance(share_in_menu);
        endings.push({zoo.elapsed_s() + zoo.random().exponential(mean_s), accepted});
        while (!endings.empty() && endings.top().at_s <= zoo.elapsed_s()) {
            if (!hang_up(endings.top().ended)) { in_menu.lost(sizeof(call)); }
            endings.pop();
        }
    }
    return zoo.end();
}
