// SPDX-License-Identifier: Apache-2.0
// One function serves requests that are over in a moment and, one in fifty or rarer, uploads that stay open for a fifth to a
// third of the run. From the outside nothing tells the two apart but the time.

#include <map>
#include <memory>
#include <vector>

#include "zoo.hpp"

namespace {

struct exchange {
    std::vector<char> headers;
    std::unique_ptr<char[]> body;
};

class http_server {
public:
    ZOO_FUNCTION void begin_exchange(double ends_s, std::size_t headers_bytes, std::size_t body_bytes) {
        by_end_.emplace(ends_s, exchange{std::vector<char>(headers_bytes), std::make_unique<char[]>(body_bytes)});
    }
    void end_until(double now_s) { by_end_.erase(by_end_.begin(), by_end_.upper_bound(now_s)); }

private:
    std::multimap<double, exchange> by_end_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("http_server::begin_exchange", "rare_long");
    const double exchanges = zoo.random().between(6.0, 12.0) / zoo.threads();  // a beat of 4 ms and thread
    const double upload_share = zoo.random().between(0.005, 0.02), upload_s = zoo.seconds() * zoo.random().between(0.2, 0.33);
    static std::vector<http_server> servers(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = exchanges; self.random().chance(left); --left) {
                const double stay_s = self.random().chance(upload_share) ? upload_s : 0.02;
                servers[self.index()].begin_exchange(self.elapsed_s() + stay_s, self.random().between(200U, 900U),
                                                     self.random().between(500U, 4000U));
            }
            servers[self.index()].end_until(self.elapsed_s());
        }
    });
    return zoo.end();
}
