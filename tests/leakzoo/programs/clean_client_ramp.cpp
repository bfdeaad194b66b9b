// SPDX-License-Identifier: Apache-2.0
// More and more clients connect in the first 40 % of the run, then their number stays; each holds state for a while, leaves and
// is replaced. Memory follows the load and nothing is kept longer than before.

#include <map>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

class client_table {
public:
    ZOO_FUNCTION void connect_client(double leaves_s, std::size_t state_bytes) {
        std::map<std::string, std::string>& state = by_end_.emplace(leaves_s, std::map<std::string, std::string>{})->second;
        state["authorization"] = std::string(100, 't');
        state["window"] = std::string(state_bytes, 'w');
    }
    std::size_t disconnect_until(double now_s) {
        by_end_.erase(by_end_.begin(), by_end_.upper_bound(now_s));
        return by_end_.size();
    }

private:
    std::multimap<double, std::map<std::string, std::string>> by_end_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("client_table::connect_client", "load_ramp");
    const double most = zoo.random().between(500.0, 3000.0) / zoo.threads();
    const double mean_s = zoo.seconds() / zoo.random().between(20.0, 60.0);
    static std::vector<client_table> tables(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            const double wanted = most * std::min(1.0, self.progress() / 0.4);
            auto present = static_cast<double>(tables[self.index()].disconnect_until(self.elapsed_s()));
            for (; present < wanted; ++present) {
                const double stay_s = std::min(5 * mean_s, self.random().exponential(mean_s));
                tables[self.index()].connect_client(self.elapsed_s() + stay_s, self.random().between(100U, 2500U));
            }
        }
    });
    return zoo.end();
}
