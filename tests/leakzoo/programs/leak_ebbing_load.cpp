// SPDX-License-Identifier: Apache-2.0
// Load falls to a third in the course of the run. The same share of requests is refused by the quota, and each refusal loses
// the request's body: less and less is lost, but it never ends.

#include "zoo.hpp"

namespace {

ZOO_FUNCTION char* read_body(std::size_t bytes) {
    auto* const body = static_cast<char*>(std::malloc(bytes));
    zoo::fill(body, bytes);
    return body;
}

ZOO_FUNCTION bool handle_upload(std::size_t bytes, bool is_over_quota) {
    char* const body = read_body(bytes);
    if (is_over_quota) { return false; }
    std::free(body);
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& refused = zoo.leaks("read_body", "ebbing_load");
    const double share_over_quota = zoo.random().between(0.1, 0.3);
    const std::size_t bytes = zoo.random().between(500U, 2500U);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            if (!self.random().chance(1 - self.progress() * 2 / 3)) { continue; }
            if (!handle_upload(bytes, self.random().chance(share_over_quota))) { refused.lost(bytes); }
        }
    });
    return zoo.end();
}
