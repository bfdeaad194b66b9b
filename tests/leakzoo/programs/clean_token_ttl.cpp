// SPDX-License-Identifier: Apache-2.0
// Access tokens whose time to live the client chooses: most ask for a moment, some for the longest that is allowed, a quarter
// of the run at most. All threads issue; one sweeps what is expired, now and then.

#include <memory>
#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

struct token {
    double expires_s{};
    std::unique_ptr<char[]> claims;
};

class token_service {
public:
    ZOO_FUNCTION void issue_token(double expires_s, std::size_t claims_bytes) {
        auto issued = std::make_unique<token>();
        issued->expires_s = expires_s;
        issued->claims = std::make_unique<char[]>(claims_bytes);
        const std::lock_guard lock(mutex_);
        tokens_.push_back(std::move(issued));
    }
    void sweep(double now_s) {
        const std::lock_guard lock(mutex_);
        std::erase_if(tokens_, [now_s](const auto& issued) { return issued->expires_s <= now_s; });
    }

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<token>> tokens_;
};

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("token_service::issue_token", "ttl_cache");
    const double longest_s = zoo.seconds() * zoo.random().between(0.15, 0.25);
    const double long_share = zoo.random().between(0.05, 0.2);
    const double sweep_every_s = zoo.seconds() / zoo.random().between(40.0, 80.0);
    const double tokens = zoo.random().between(4.0, 10.0) / zoo.threads();  // a beat of 4 ms and thread
    static token_service service;
    zoo.on_threads([&](zoo::worker& self) {
        double next_sweep_s = sweep_every_s;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = tokens; self.random().chance(left); --left) {
                const double wish_s = self.random().chance(long_share) ? longest_s : self.random().exponential(longest_s / 30);
                service.issue_token(self.elapsed_s() + std::min(wish_s, longest_s), self.random().between(200U, 2000U));
            }
            if (self.index() == 0 && self.elapsed_s() >= next_sweep_s) {
                service.sweep(self.elapsed_s());
                next_sweep_s += sweep_every_s;
            }
        }
    });
    return zoo.end();
}
