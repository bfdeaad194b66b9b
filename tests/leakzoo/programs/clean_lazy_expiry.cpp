// SPDX-License-Identifier: Apache-2.0
// Names that were resolved are good for a moment, but what has expired is only thrown away when the table is swept, five to
// nine times a run. Between two sweeps it looks as if nothing ever went.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct resolved {
    double expires_s{};
    std::vector<std::string> addresses;
};

class resolver {
public:
    ZOO_FUNCTION void resolve(std::uint64_t host, double expires_s, unsigned addresses) {
        resolved fresh{expires_s, {}};
        for (unsigned i = 0; i < addresses; ++i) {
            fresh.addresses.push_back("2001:0db8:0000:0000:0000:0000:00ff:" + std::to_string(i));
        }
        const std::lock_guard lock(mutex_);
        hosts_["host-" + std::to_string(host) + ".example.org"] = std::move(fresh);
    }
    void sweep(double now_s) {
        const std::lock_guard lock(mutex_);
        std::erase_if(hosts_, [now_s](const auto& host) { return host.second.expires_s <= now_s; });
    }

private:
    std::mutex mutex_;
    std::map<std::string, resolved> hosts_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("resolver::resolve", "lazy_expiry");
    const double look_ups = zoo.random().between(2.0, 6.0) / zoo.threads();  // a beat of 4 ms and thread
    const double sweep_every_s = zoo.seconds() / zoo.random().between(5.0, 9.0);
    const std::uint64_t hosts = zoo.random().between(3000U, 30'000U);
    static resolver names;
    zoo.on_threads([&](zoo::worker& self) {
        double sweep_at_s = sweep_every_s;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = look_ups; self.random().chance(left); --left) {
                const double ttl_s = self.random().between(0.01, 0.2) * sweep_every_s;
                names.resolve(self.random().below(hosts), self.elapsed_s() + ttl_s, self.random().between(1U, 8U));
            }
            if (self.index() != 0 || self.elapsed_s() < sweep_at_s) { continue; }
            names.sweep(self.elapsed_s());
            sweep_at_s += sweep_every_s;
        }
    });
    return zoo.end();
}
