// SPDX-License-Identifier: Apache-2.0
// A plugin that allocates under tags is closed while its blocks live on. It shares the executable's memwatch and has no copy of
// its own (tests/e2e/copies), so that it really goes.
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <thread>

#include "plugin.hpp"
#include "victim.hpp"

namespace lifecycle {
namespace {

class loaded_plugin {
public:
    loaded_plugin() : handle_(dlopen(PLUGIN_PATH, RTLD_NOW | RTLD_LOCAL)) {
        using get = const plugin_functions* (*)();
        const get find = handle_ == nullptr ? nullptr : reinterpret_cast<get>(dlsym(handle_, "lifecycle_plugin"));
        if (find == nullptr) { std::abort(); }
        functions_ = find();
    }
    ~loaded_plugin() { dlclose(handle_); }
    loaded_plugin(const loaded_plugin&) = delete;
    loaded_plugin& operator=(const loaded_plugin&) = delete;
    const plugin_functions* operator->() const { return functions_; }

private:
    void* handle_;
    const plugin_functions* functions_{};
};

bool is_loaded() {
    void* const handle = dlopen(PLUGIN_PATH, RTLD_NOW | RTLD_NOLOAD);
    if (handle != nullptr) { dlclose(handle); }
    return handle != nullptr;
}

bool has_module(const memwatch::snapshot& s) {
    return std::any_of(s.modules.begin(), s.modules.end(),
                       [](const auto& m) { return m.path.find("lifecycle-plugin") != std::string::npos; });
}

const memwatch::live_record* record_of(const memwatch::snapshot& s, std::size_t bytes) {
    const auto it = std::find_if(s.live.begin(), s.live.end(), [&](const auto& r) { return r.size_bytes == bytes; });
    return it == s.live.end() ? nullptr : &*it;
}

// Every frame of the block's stack has a place to be written: a module that is or was there, or none.
int stack_is_sound(const memwatch::snapshot& s, const memwatch::live_record& r, bool is_known) {
    bool is_in_plugin = false;
    for (const std::uint32_t f : s.stacks[s.sites[r.site].stack].frames) {
        const auto& frame = s.frames[f];
        if (frame.module < s.modules.size()) {
            is_in_plugin |= s.modules[frame.module].path.find("lifecycle-plugin") != std::string::npos;
        }
    }
    return check(is_in_plugin == is_known, "frames in code that is gone are its module's when it was ever seen there");
}

}  // namespace

int closed_plugin() {
    const memwatch::session session = start_full();
    int failures = 0;
    buffer* held = nullptr;
    void* odd = nullptr;
    {
        const loaded_plugin plugin;
        std::thread([&] {
            plugin->name_this_thread();
            held = static_cast<buffer*>(plugin->hold());
        }).join();
        odd = plugin->hold_odd_type();
        failures += check(has_module(*session.snapshot()), "a plugin is among the modules");
    }
    failures += check(!is_loaded(), "the plugin is gone");
    auto frozen = session.snapshot();
    session.name_functions(*frozen, 100);
    const tag owner{"plugin/blocks"};
    failures +=
        check(owner.totals().live_bytes() == 1320 && owner.name() == "plugin/blocks", "its tag stays, and what it holds");
    const memwatch::live_record* const block = record_of(*frozen, 1000);
    const memwatch::live_record* const array = record_of(*frozen, 320);
    failures += check(block != nullptr && array != nullptr, "its blocks are alive");
    if (failures != 0) { return failures; }
    failures +=
        check(frozen->routes[block->route] == "/plugin/route" && block->trace.low == 4711, "with their route and trace");
    failures += check(frozen->sites[array->site].type.find("known_to_the_plugin_alone") != std::string::npos, "and their type");
    failures += check(frozen->threads[block->thread].name == "of the plugin", "and thread");
    failures += stack_is_sound(*frozen, *block, true);
    failures +=
        check(std::none_of(frozen->pools.begin(), frozen->pools.end(), [](const auto& p) { return p.name == "plugin pool"; }),
              "its pool left with it");
    delete held;
    failures += check(owner.totals().live_bytes() == 320, "the host frees what the plugin made");
    {
        const loaded_plugin again;
        again->drop_odd_type(odd);
    }
    return failures + check(owner.totals().live_bytes() == 0, "as does the plugin when it is back");
}

// Loaded and closed often: what is kept of it is bounded.
int plugin_churn() {
    const memwatch::session session = start_full();
    const tag owner{"plugin/blocks"};
    int failures = 0;
    std::uint64_t early = 0;
    for (int round = 0; round < 200; ++round) {
        buffer* held = nullptr;
        {
            const loaded_plugin plugin;
            held = static_cast<buffer*>(plugin->hold());
            plugin->drop_odd_type(plugin->hold_odd_type());
        }
        if (round % 50 == 0) { failures += check(session.snapshot()->modules.size() < 40, "modules that are gone are few"); }
        delete held;
        if (round == 20) { early = self_bytes_of(session); }
    }
    failures += check(owner.totals().live_bytes() == 0 && records_of(session, owner) == 0, "nothing is left of 200 visits");
    return failures + check(self_bytes_of(session) <= early + early / 10, "and memwatch has not grown");
}

}  // namespace lifecycle
