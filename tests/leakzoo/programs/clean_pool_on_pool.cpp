// SPDX-License-Identifier: Apache-2.0
// Linked: a pool of small nodes over a pool of pages, both growing. A tree of nodes is filled and cleared in turn, two or three
// times a second at most, so occupancy is a saw while the storage stays at its high water.

#include <memwatch/memwatch.hpp>

#include <array>
#include <vector>

#include "zoo.hpp"

namespace {

struct page {
    alignas(64) std::array<std::byte, 1048576> bytes{};
};
struct node {
    std::array<std::uint64_t, 10> keys{};
};

memwatch::object_pool<page>& pages() {
    static auto* const pool = new memwatch::object_pool<page>("zoo/pages", {.capacity = 2, .can_grow = true});
    return *pool;
}

memwatch::object_pool<node>& nodes() {
    static auto* const from_pages = new memwatch::pool_resource(pages());
    static auto* const pool =
        new memwatch::object_pool<node>("zoo/nodes", {.capacity = 64, .can_grow = true, .upstream = from_pages});
    return *pool;
}

class tree {
public:
    ZOO_FUNCTION void insert(std::uint64_t key) {
        node* const fresh = nodes().acquire_raw();
        if (fresh == nullptr) { return; }
        fresh->keys.fill(key);
        nodes_.push_back(fresh);
    }
    void clear() {
        for (node* const one : nodes_) { nodes().release(one); }
        nodes_.clear();
    }

private:
    std::vector<node*> nodes_;
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("tree::insert", "sawtooth").also("zoo/nodes");
    zoo.is_clean("nodes", "pool_high_water").also("zoo/pages");
    const double inserts = zoo.random().between(2.0, 6.0) / zoo.threads();  // a beat of 4 ms and thread
    const double period_s = zoo.seconds() / zoo.random().between(8.0, 50.0);
    static std::vector<tree> trees(static_cast<std::size_t>(zoo.threads()));
    zoo.on_threads([&](zoo::worker& self) {
        double clear_at_s = self.random().unit() * period_s;
        while (self.tick(std::chrono::milliseconds(4))) {
            for (double left = inserts; self.random().chance(left); --left) {
                trees[self.index()].insert(self.random().next());
            }
            if (self.elapsed_s() < clear_at_s) { continue; }
            trees[self.index()].clear();
            clear_at_s += period_s;
        }
    });
    return zoo.end();
}
