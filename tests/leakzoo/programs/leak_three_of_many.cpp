// SPDX-License-Identifier: Apache-2.0
// A service with two dozen components that allocate: three of them lose something, the others keep a little and replace it.

#include <array>
#include <utility>

#include "zoo.hpp"

namespace {

struct slot_table {
    std::array<char*, 64> slots{};
};

std::array<slot_table, 20> tables;

ZOO_FUNCTION char* allocate_in_component(std::size_t bytes) {
    char* const block = static_cast<char*>(std::malloc(bytes));
    zoo::fill(block, bytes);
    return block;
}

template <int Component>
ZOO_FUNCTION void replace_slot(std::size_t slot, std::size_t bytes) {
    char*& held = tables[Component].slots[slot];
    std::free(held);
    held = static_cast<char*>(std::malloc(bytes));
    zoo::fill(held, bytes);
}

template <std::size_t... Component>
void run_component(std::size_t which, std::size_t slot, std::size_t bytes, std::index_sequence<Component...>) {
    (void)((which == Component ? (replace_slot<Component>(slot, bytes), true) : false) || ...);
}

ZOO_FUNCTION void log_audit(std::size_t bytes) { zoo::fill(std::malloc(bytes), bytes); }
ZOO_FUNCTION void open_cursor(std::size_t bytes) { zoo::fill(new char[bytes], bytes); }
ZOO_FUNCTION void cache_plan(std::size_t bytes) { zoo::use(allocate_in_component(bytes)); }

}  // namespace

int main(int argc, char** argv) {
    zoo::scenario zoo(argc, argv);
    zoo::truth& audits = zoo.leaks("log_audit", "among_healthy");
    zoo::truth& cursors = zoo.leaks("open_cursor", "among_healthy");
    zoo::truth& plans = zoo.leaks("allocate_in_component", "among_healthy");
    zoo.is_clean("replace_slot", "replaced_slots");
    const std::size_t bytes = zoo.random().between(200U, 800U);
    while (zoo.tick(std::chrono::milliseconds(2))) {
        for (int i = 0; i < 12; ++i) {
            const std::size_t which = zoo.random().zipf(20);
            run_component(which, zoo.random().below(64), bytes + which * 16, std::make_index_sequence<20>());
        }
        if (zoo.random().chance(0.25)) {
            log_audit(bytes);
            audits.lost(bytes);
        }
        if (zoo.random().chance(0.12)) {
            open_cursor(2 * bytes);
            cursors.lost(2 * bytes);
        }
        if (zoo.random().chance(0.4)) {
            cache_plan(bytes / 2);
            plans.lost(bytes / 2);
        }
    }
    return zoo.end();
}
