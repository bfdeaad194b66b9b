// SPDX-License-Identifier: Apache-2.0
// A session store with one time to live for all: nothing goes before a fifth to a third of the run is over, and from then on as
// much goes as comes.

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

using attributes = std::map<std::string, std::string>;

class session_store {
public:
    ZOO_FUNCTION void open_session(std::uint64_t id, std::size_t cookie_bytes, double expires_s) {
        attributes& fresh = sessions_[id];
        fresh["cookie"] = std::string(cookie_bytes, 'c');
        fresh["last-page-that-was-visited"] = "/products/" + std::to_string(id) + "?sort=price&order=descending";
        expiries_.emplace_back(expires_s, id);
    }
    void expire(double now_s) {
        while (!expiries_.empty() && expiries_.front().first <= now_s) {
            sessions_.erase(expiries_.front().second);
            expiries_.pop_front();
        }
    }

private:
    std::map<std::uint64_t, attributes> sessions_;
    std::deque<std::pair<double, std::uint64_t>> expiries_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("session_store::open_session", "ttl_cache");
    const double ttl_s = zoo.seconds() * zoo.random().between(0.2, 0.33);
    const double logins = zoo.random().between(1.2, 5.0) / zoo.threads();  // a beat of 4 ms and thread
    static std::vector<session_store> stores(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        session_store& store = stores[self.index()];
        std::uint64_t id = 0;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = logins; self.random().chance(left); --left) {
                store.open_session(++id, self.random().between(200U, 1800U), self.elapsed_s() + ttl_s);
            }
            store.expire(self.elapsed_s());
        }
    });
    return zoo.end();
}
