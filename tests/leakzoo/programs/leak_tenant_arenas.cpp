// SPDX-License-Identifier: Apache-2.0
// Linked: each tenant has a monotonic arena over a tagged resource. Most are gone when their tenant is; trial tenants, each
// with an id of its own, only come once and stay.

#include <memwatch/memwatch.hpp>

#include <map>
#include <memory>
#include <memory_resource>
#include <vector>

#include "zoo.hpp"

namespace {

const memwatch::tag tenants_tag{"zoo/tenants"};

struct tenant {
    std::pmr::monotonic_buffer_resource arena{2048, memwatch::resource(tenants_tag)};
    std::pmr::vector<std::uint64_t> ids{&arena};
};

std::map<std::uint64_t, std::unique_ptr<tenant>> tenants;

ZOO_FUNCTION void admit_tenant(std::uint64_t id) { tenants[id] = std::make_unique<tenant>(); }

ZOO_FUNCTION void store_ids(std::uint64_t id, int ids) {
    std::pmr::vector<std::uint64_t>& stored = tenants[id]->ids;
    for (int i = 0; i < ids; ++i) { stored.push_back(id + static_cast<std::uint64_t>(i)); }
}

ZOO_FUNCTION void dismiss_tenant(std::uint64_t id) { tenants.erase(id); }

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo::truth& chunks = zoo.leaks("store_ids", "arenas");
    zoo::truth& trials = zoo.leaks("admit_tenant", "arenas");
    const double share_trial = zoo.random().between(0.1, 0.4);
    const int ids = zoo.random().between(40, 100);  // fit in the arena's first chunk
    for (std::uint64_t id = 0; zoo.tick(std::chrono::milliseconds(10)); ++id) {
        admit_tenant(id);
        store_ids(id, ids);
        if (!zoo.random().chance(share_trial)) {
            dismiss_tenant(id);
            continue;
        }
        chunks.lost(2048);
        trials.lost(sizeof(tenant));
    }
    return zoo.end();
}
