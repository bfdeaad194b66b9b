// SPDX-License-Identifier: Apache-2.0
// A rate limiter keeps a bucket for each client. The regular ones come back all day; but a client is an address and a port, and
// each new connection has a new port.

#include <memory>
#include <mutex>
#include <unordered_map>

#include "zoo.hpp"

namespace {

struct bucket {
    double tokens;
    double refilled_at_s;
    char window[176];
};

std::mutex guard;
std::unordered_map<std::uint64_t, std::unique_ptr<bucket>> buckets;

ZOO_FUNCTION bool admit(std::uint64_t client, double now_s) {
    const std::lock_guard<std::mutex> lock(guard);
    std::unique_ptr<bucket>& found = buckets[client];
    if (found == nullptr) {
        found = std::make_unique<bucket>();
        found->tokens = 10;
    }
    found->tokens += now_s - found->refilled_at_s;
    found->refilled_at_s = now_s;
    return (found->tokens -= 1) > 0;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& once = zoo.leaks("admit", "unique_ids");
    const std::uint64_t regulars = zoo.random().between(100U, 1000U);
    const double share_new = zoo.random().between(0.2, 0.6);
    std::atomic<std::uint64_t> ports{1U << 20U};
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            const bool is_new = self.random().chance(share_new);
            admit(is_new ? ports.fetch_add(1) : self.random().zipf(regulars), self.elapsed_s());
            if (is_new) { once.lost(sizeof(bucket) + 32); }
        }
    });
    return zoo.end();
}
