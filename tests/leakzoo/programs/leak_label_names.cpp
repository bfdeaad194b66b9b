// SPDX-License-Identifier: Apache-2.0
// A metrics registry interns the names of labels. Somebody put the request's id into one.

#include <mutex>
#include <set>
#include <string>

#include "zoo.hpp"

namespace {

std::mutex guard;
std::set<std::string> names;

ZOO_FUNCTION const std::string& intern(const char* name) {
    const std::lock_guard<std::mutex> lock(guard);
    return *names.emplace(name).first;
}

ZOO_FUNCTION void count_request(const char* route, unsigned long long id, bool is_by_id) {
    char name[200];
    std::snprintf(name, sizeof name,
                  "http_requests{route=\"%s\",method=\"GET\",instance=\"10.0.0.1:9100\",request=\"%016llx\"}", route,
                  is_by_id ? id : 0ULL);
    zoo::use(intern(name).data());
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& unique = zoo.leaks("intern", "unique_ids");
    const char* const routes[] = {"/orders", "/orders/items", "/customers", "/health"};
    const double share_by_id = zoo.random().between(0.2, 0.9);
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(2) * zoo.threads())) {
            const bool is_by_id = self.random().chance(share_by_id);
            count_request(routes[self.random().below(4)], self.random().next(), is_by_id);
            if (is_by_id) { unique.lost(64 + 100); }
        }
    });
    return zoo.end();
}
