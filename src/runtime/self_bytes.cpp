// SPDX-License-Identifier: Apache-2.0
#include "runtime/self_bytes.hpp"

#include <string>
#include <string_view>

#include "runtime/tasks/escalation.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// What the doors hold beside the process' state: full mode's index of blocks.
void add_doors(const capture_state& capture, std::vector<named_value>& into) {
    for (const std::atomic<const heap_door*>& slot : capture.doors) {
        // acquire: pairs with the release in register_heap_door().
        const heap_door* const door = slot.load(std::memory_order_acquire);
        if (door == nullptr || door->self_bytes == nullptr) { continue; }
        into.push_back({std::string("heap_index_") + door->name, door->self_bytes()});
    }
}

// The beginnings of the names of parts that have a limit of their own.
constexpr std::string_view limited_elsewhere[] = {"ledger",      "stack_memo", "trace_contexts",
                                                  "heap_index_", "history",    "kept_snapshots"};

bool is_limited_elsewhere(std::string_view name) noexcept {
    for (const std::string_view each : limited_elsewhere) {
        if (name.substr(0, each.size()) == each) { return true; }
    }
    return false;
}

}  // namespace

void add_self_bytes(process_state& state, std::vector<named_value>& into) {
    capture_state& capture = state.capture;
    // acquire: pairs with the release in build_live().
    if (live_state* const live = state.live.load(std::memory_order_acquire); live != nullptr) { live->add_self_bytes(into); }
    into.push_back({"escalation_waste", capture.escalation.waste_bytes()});
    add_doors(capture, into);
    into.push_back({"tag_rows", capture.tags.self_bytes()});
    into.push_back({"edge_map", capture.edges.self_bytes() + capture.heap_edges.self_bytes()});
    into.push_back({"edge_waste", capture.edge_waste.waste_bytes()});
    into.push_back({"verdicts", state.verdicts.self_bytes()});
    into.push_back({"history", state.history.self_bytes()});
    into.push_back({"symbol_cache", state.symbols.cached_bytes()});
    into.push_back({"memory_watch", state.memory.self_bytes()});
    into.push_back({"kernel_side", state.kernel_side.self_bytes()});
}

std::uint64_t budgeted_bytes(const std::vector<named_value>& parts) noexcept {
    std::uint64_t sum = 0;
    for (const named_value& each : parts) { sum += is_limited_elsewhere(each.name) ? 0 : each.value; }
    return sum;
}

std::uint64_t total_self_bytes(process_state& state) noexcept {
    try {
        std::vector<named_value> parts;
        add_self_bytes(state, parts);
        std::uint64_t sum = 0;
        for (const named_value& part : parts) { sum += part.value; }
        return sum;
    } catch (...) { return 0; }
}

}  // namespace v1
}  // namespace memwatch
