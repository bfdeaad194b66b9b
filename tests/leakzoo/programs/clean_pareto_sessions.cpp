// SPDX-License-Identifier: Apache-2.0
// Sessions whose lengths are heavy-tailed: most are over in a moment, a few go on for seconds, none longer than a fifth of the
// run, when the server hangs up. The few that go on hold most of the memory.

#include <map>
#include <memory>
#include <vector>

#include "zoo.hpp"

namespace {

struct session {
    std::vector<char> inbox;
    std::vector<char> outbox;
};

class session_table {
public:
    ZOO_FUNCTION void accept_session(double hangs_up_s, std::size_t inbox_bytes, std::size_t outbox_bytes) {
        auto fresh = std::make_unique<session>();
        fresh->inbox.resize(inbox_bytes);
        fresh->outbox.resize(outbox_bytes);
        by_end_.emplace(hangs_up_s, std::move(fresh));
    }
    void hang_up(double now_s) { by_end_.erase(by_end_.begin(), by_end_.upper_bound(now_s)); }

private:
    std::multimap<double, std::unique_ptr<session>> by_end_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("session_table::accept_session", "heavy_tail");
    const double sessions = zoo.random().between(3.0, 8.0) / zoo.threads();  // a beat of 4 ms and thread
    const double alpha = zoo.random().between(0.8, 1.4), shortest_s = zoo.seconds() / 1000;
    static std::vector<session_table> tables(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        session_table& table = tables[self.index()];
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = sessions; self.random().chance(left); --left) {
                const double length_s = std::min(zoo.seconds() / 5, self.random().pareto(shortest_s, alpha));
                table.accept_session(self.elapsed_s() + length_s, self.random().between(100U, 2000U),
                                     self.random().between(100U, 4000U));
            }
            table.hang_up(self.elapsed_s());
        }
    });
    return zoo.end();
}
