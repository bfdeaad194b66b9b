// SPDX-License-Identifier: Apache-2.0
// Linked: a slab pool of the service's own, shown to memwatch by a function. Its slabs come under a tag, one by one as demand
// asks for them, and stay; demand swings between a tenth of its height and all of it.

#include <memwatch/memwatch.hpp>

#include <mutex>
#include <vector>

#include "zoo.hpp"

namespace {

memwatch::tag slabs_tag{"zoo/slabs"};

class slab_pool {
public:
    ZOO_FUNCTION char* take_slot() {
        const std::lock_guard lock(mutex_);
        if (free_.empty()) { add_slab(); }
        char* const slot = free_.back();
        free_.pop_back();
        return slot;
    }
    void give_back(char* slot) {
        const std::lock_guard lock(mutex_);
        free_.push_back(slot);
    }
    memwatch::pool_stats stats() {
        const std::lock_guard lock(mutex_);
        memwatch::pool_stats now;
        now.capacity = slabs_.size() * slots_a_slab;
        now.in_use = now.capacity - free_.size();
        now.object_bytes = slot_bytes;
        return now;
    }

private:
    static constexpr std::size_t slot_bytes = 512, slots_a_slab = 16;
    using slab = std::vector<char, memwatch::tracked_allocator<char>>;

    ZOO_FUNCTION void add_slab() {
        slabs_.emplace_back(slot_bytes * slots_a_slab, 's', memwatch::tracked_allocator<char>{slabs_tag});
        for (std::size_t i = 0; i < slots_a_slab; ++i) { free_.push_back(slabs_.back().data() + i * slot_bytes); }
    }

    std::mutex mutex_;
    std::vector<slab> slabs_;
    std::vector<char*> free_;
};

}  // namespace

int main(int argc, char** argv) {
    auto session = memwatch::session::start({});
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("slab_pool::add_slab", "pool_high_water").also("zoo/slab-pool");
    zoo.is_clean("slab_pool::take_slot", "pool_high_water");
    static slab_pool slabs;
    const auto shown = memwatch::register_pool("zoo/slab-pool", [] { return slabs.stats(); }, {.upstream = slabs_tag});
    const double most = zoo.random().between(800.0, 6000.0) / zoo.threads();
    const double swings = zoo.random().between(2.5, 7.0);
    zoo.on_threads([&](zoo::worker& self) {
        std::vector<char*> taken;
        taken.reserve(static_cast<std::size_t>(2 * most));
        while (self.tick(std::chrono::milliseconds(4))) {
            const double wanted = most * (0.1 + 0.9 * std::abs(std::sin(3.14159265 * self.progress() * swings)));
            for (; static_cast<double>(taken.size()) < wanted; taken.push_back(slabs.take_slot())) {}
            for (; static_cast<double>(taken.size()) > wanted + 1; taken.pop_back()) { slabs.give_back(taken.back()); }
        }
    });
    return zoo.end();
}
