// SPDX-License-Identifier: Apache-2.0
// Loaded, used and closed for good by plugins.cpp. Its static objects are destroyed by dlclose().
#include "plugin.hpp"

#include <pthread.h>

#include <vector>

#include <memwatch/memwatch.hpp>

namespace plugin {

using buffer = std::vector<char, memwatch::tracked_allocator<char>>;

struct known_to_the_plugin_alone {
    double numbers[4];
};
using odd_vector = std::vector<known_to_the_plugin_alone, memwatch::tracked_allocator<known_to_the_plugin_alone>>;

namespace {

memwatch::tag owner() { return memwatch::tag{"plugin/blocks"}; }

// A pool on show whose figures only this code can tell.
const memwatch::pool_registration shown = memwatch::register_pool("plugin pool", [] { return memwatch::pool_stats{}; });

[[gnu::noinline]] void* hold() {
    const memwatch::trace_scope scope(memwatch::trace_id{1, 4711}, "/plugin/route");
    return new buffer(1000, 'x', memwatch::tracked_allocator<char>{owner()});
}

constexpr plugin_functions functions = {
    &hold,
    []() -> void* {
        return new odd_vector(10, known_to_the_plugin_alone{}, memwatch::tracked_allocator<known_to_the_plugin_alone>{owner()});
    },
    [](void* held) { delete static_cast<odd_vector*>(held); },
    [] { pthread_setname_np(pthread_self(), "of the plugin"); },
};

}  // namespace
}  // namespace plugin

const plugin_functions* lifecycle_plugin() { return &plugin::functions; }
