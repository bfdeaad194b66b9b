// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the plugin offers. All names it gives memwatch - tag, route, pool, type - are constants of its own, and go when it goes.

struct plugin_functions {
    void* (*hold)();           // a tracked block under the trace and route of the plugin: a lifecycle::buffer
    void* (*hold_odd_type)();  // a std::vector of a type that nobody else knows
    void (*drop_odd_type)(void* held);
    void (*name_this_thread)();
};

// NOLINTNEXTLINE: found by dlsym
extern "C" __attribute__((visibility("default"))) const plugin_functions* lifecycle_plugin();
