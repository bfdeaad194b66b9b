// SPDX-License-Identifier: Apache-2.0
// A session store keyed by ever new ids. Logging out erases; clients that just go away are never noticed.

#include <array>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "zoo.hpp"

namespace {

struct session {
    std::uint64_t requests{};
    std::vector<char> basket;
};

std::mutex guard;
std::unordered_map<std::uint64_t, session> sessions;

ZOO_FUNCTION void open_session(std::uint64_t id, std::size_t basket_bytes) {
    const std::lock_guard<std::mutex> lock(guard);
    session& opened = sessions[id];
    opened.basket.assign(basket_bytes, 'b');
}

ZOO_FUNCTION void log_out(std::uint64_t id) {
    const std::lock_guard<std::mutex> lock(guard);
    sessions.erase(id);
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& gone = zoo.leaks("open_session", "unique_ids");
    const double share_gone = zoo.random().between(0.05, 0.3);
    const std::size_t basket_bytes = zoo.random().between(300U, 1500U);
    zoo.on_threads([&](zoo::worker& self) {
        std::array<std::uint64_t, 16> browsing{};
        for (std::uint64_t visit = 1; self.tick(std::chrono::milliseconds(2) * zoo.threads()); ++visit) {
            std::uint64_t& seat = browsing[visit % browsing.size()];
            if (seat != 0 && self.random().chance(share_gone)) {
                gone.lost(basket_bytes + sizeof(session) + 32);
            } else if (seat != 0) {
                log_out(seat);
            }
            seat = visit << 8U | static_cast<std::uint64_t>(self.index());
            open_session(seat, basket_bytes);
        }
    });
    return zoo.end();
}
