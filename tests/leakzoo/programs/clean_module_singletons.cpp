// SPDX-License-Identifier: Apache-2.0
// Modules register themselves while the program starts and are never deleted, on purpose: what lives as long as the process
// need not be torn down. The same registry function also serves short-lived look-ups all along.

#include <map>
#include <string>
#include <vector>

#include "zoo.hpp"

namespace {

struct module_info {
    std::string name;
    std::vector<std::uint64_t> symbols;
};

using registry = std::map<std::string, module_info*>;

registry& modules() {
    static auto* const all = new registry;
    return *all;
}

ZOO_FUNCTION module_info* describe_module(const std::string& name, std::size_t symbols) {
    auto* const info = new module_info{name, {}};
    for (std::size_t i = 0; i < symbols; ++i) { info->symbols.push_back(i * 2654435761U); }
    return info;
}

ZOO_FUNCTION void register_module(const std::string& name, std::size_t symbols) {
    modules().emplace(name, describe_module(name, symbols));
}

// A module that only somebody asks about: described, compared, thrown away.
ZOO_FUNCTION bool is_registered(const std::string& name, std::size_t symbols) {
    const module_info* const asked = describe_module(name, symbols);
    const auto found = modules().find(asked->name);
    const bool is_same = found != modules().end() && found->second->symbols == asked->symbols;
    delete asked;
    return is_same;
}

ZOO_FUNCTION std::string module_name(std::uint64_t number) {
    return "lib/modules/generated/module-" + std::to_string(number) + ".so";
}

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo.is_clean("describe_module", "singletons");
    zoo.is_clean("register_module", "singletons");
    zoo.is_clean("module_name", "churn");
    const auto count = zoo.random().between(300U, 2000U);
    const double start_s = zoo.seconds() * zoo.random().between(0.02, 0.1);
    for (unsigned number = 0; number < count && zoo.tick(std::chrono::microseconds(static_cast<long>(start_s * 1e6 / count)));
         ++number) {
        register_module(module_name(number), zoo.random().between(10U, 400U));
    }
    zoo.on_threads([&](zoo::worker& self) {
        while (self.tick(std::chrono::milliseconds(4))) {
            is_registered(module_name(self.random().below(2 * count)), self.random().between(10U, 400U));
        }
    });
    return zoo.end();
}
