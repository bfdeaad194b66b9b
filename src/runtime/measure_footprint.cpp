// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure_footprint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>
#include <string_view>

#include <memwatch/base/units.hpp>
#include <memwatch/model/snapshot.hpp>
#include <memwatch/model/weight.hpp>
#include "capture/own_work.hpp"
#include "footprint/measure.hpp"
#include "platform/platform.hpp"
#include "runtime/freeze_process.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t large_block_bytes = 64U << 10U;

// Of snapshot.self_bytes what memwatch has from the program's allocator; the other rows are mappings of its own.
constexpr std::string_view rows_in_heap[] = {"edge_waste", "escalation_waste", "verdicts", "symbol_cache", "modules",
                                             "pool_slots", "kept_snapshots",   "history",  "kernel_side"};

std::uint64_t self_in_heap(const snapshot& s) {
    std::uint64_t sum = 0;
    for (const named_value& each : s.self_bytes) {
        const bool is_there = std::any_of(std::begin(rows_in_heap), std::end(rows_in_heap),
                                          [&](std::string_view name) { return each.name == name; });
        sum += is_there ? each.value : 0;
    }
    return sum;
}

const heap_door* door_of(const capture_state& capture) noexcept {
    for (const std::atomic<const heap_door*>& slot : capture.doors) {
        // acquire: pairs with the release in register_heap_door().
        if (const heap_door* const door = slot.load(std::memory_order_acquire); door != nullptr) { return door; }
    }
    return nullptr;
}

// Where the allocator is, or was: it may be asked of these stretches, also when all that lived there is gone.
void add_stretches(const edge_map& edges, std::vector<known_block>& list) {
    list.reserve(list.size() + 64);
    edges.visit_stretches(
        [](void* into, std::uint64_t begin) {
            auto& all = *static_cast<std::vector<known_block>*>(into);
            if (all.size() < all.capacity()) { all.push_back({begin, 0, 0}); }
        },
        &list);
}

// The larger blocks, of which parts may never have been touched; of the others one in each stretch of address space, to say
// where the allocator is.
std::vector<known_block> known_blocks(live_state& live) {
    constexpr std::uint64_t stretch = edge_map::stretch_bytes;
    std::vector<known_block> list;
    std::array<std::uint64_t, 64> seen{};
    live.visit_addresses([&](std::size_t most) { list.reserve(list.size() + most); },
                         [&](std::uint64_t address, std::uint64_t size, std::uint64_t interval) {
                             if (size >= large_block_bytes) {
                                 list.push_back({address, size, 1 / sampling_probability(size, interval)});
                                 return;
                             }
                             std::uint64_t& last = seen[address / stretch % seen.size()];
                             if (last == address / stretch) { return; }
                             last = address / stretch;
                             list.push_back({address, size, 0});
                         });
    return list;
}

footprint_facts facts_of(process_state& state, const snapshot& s, bool is_in_detail) {
    footprint_facts facts;
    const sampled_totals live = live_totals(s);
    const std::uint64_t exact = bytes_from_allocator(s);
    if (const heap_door* const door = door_of(state.capture); door != nullptr) {
        facts.allocator = door->allocator == nullptr ? "" : door->allocator;
        facts.is_heap_tracked = true;
        // All blocks have a chance to be sampled; what tags count exactly is among them.
        facts.tracked_bytes = std::max(live.bytes, static_cast<double>(exact));
        facts.tracked_error = live.bytes_standard_error();
        facts.is_tracked_exact = live.bytes_variance <= 0;
    } else {
        facts.tracked_bytes = static_cast<double>(exact);
        facts.is_tracked_exact = true;
    }
    facts.self_in_heap = self_in_heap(s);
    for (const named_value& each : s.self_bytes) { facts.self_bytes += each.value; }
    // acquire: pairs with the release in session start.
    if (live_state* const table = state.live.load(std::memory_order_acquire); is_in_detail && table != nullptr) {
        facts.blocks = known_blocks(*table);
        add_stretches(state.capture.heap_edges, facts.blocks);
        add_stretches(state.capture.edges, facts.blocks);
    }
    return facts;
}

// --- modules

bool is_runtime_library(std::string_view path) noexcept {
    constexpr std::string_view libraries[] = {"libc.so",     "libstdc++",   "libc++",      "libmemwatch", "ld-linux",
                                              "libjemalloc", "libtcmalloc", "libmimalloc", "libgcc_s",    "linux-vdso"};
    const std::size_t slash = path.rfind('/');
    const std::string_view file = slash == std::string_view::npos ? path : path.substr(slash + 1);
    return std::any_of(std::begin(libraries), std::end(libraries),
                       [&](std::string_view name) { return file.substr(0, name.size()) == name; });
}

// The module whose code asked: of the first frame outside of runtime libraries, else of the outermost one.
std::uint32_t asking_module(const snapshot& s, const stack& calls) {
    std::uint32_t last = no_module;
    for (const std::uint32_t index : calls.frames) {
        const std::uint32_t here = s.frames[index].module;
        if (here == no_module) { continue; }
        last = here;
        if (!is_runtime_library(s.modules[here].path)) { return here; }
    }
    return last;
}

module_footprint& module_named(std::vector<module_footprint>& list, const module& wanted) {
    for (module_footprint& each : list) {
        if (each.path == wanted.path && (each.build_id == wanted.build_id || each.build_id.empty())) { return each; }
    }
    list.emplace_back();
    list.back().path = wanted.path;
    list.back().build_id = wanted.build_id;
    return list.back();
}

void roll_up(const snapshot& s, std::vector<module_footprint>& into) {
    for (const site& each : s.sites) {
        const std::uint32_t asking = each.stack < s.stacks.size() ? asking_module(s, s.stacks[each.stack]) : no_module;
        if (asking == no_module || each.live.bytes <= 0) { continue; }
        module_footprint& row = module_named(into, s.modules[asking]);
        row.live_bytes += each.live.bytes;
        if (each.tag == 0) { row.untagged_live_bytes += each.live.bytes; }
    }
    std::stable_sort(into.begin(), into.end(), [](const module_footprint& a, const module_footprint& b) {
        const auto all = [](const module_footprint& m) {
            return m.live_bytes + static_cast<double>(m.code_bytes + m.static_data_bytes);
        };
        return all(a) > all(b);
    });
}

std::string too_large(std::uint64_t resident, const footprint_request& asked) {
    if (asked.must_be_detailed || resident <= asked.most_resident_bytes) { return {}; }
    if (asked.most_resident_bytes == 0) { return "nobody asked for it"; }
    return "VmRSS of " + format_bytes(static_cast<double>(resident)) + " is above " +
           format_bytes(static_cast<double>(asked.most_resident_bytes)) +
           ", and the kernel would hold up the process; ask for it in detail";
}

}  // namespace

result<footprint> measure_footprint(process_state& state, const footprint_request& asked) {
    const detail::own_work ours;  // what measuring allocates is no sample
    try {
        const std::uint64_t began_ns = platform::monotonic_ns();
        const result<frozen_process> frozen = freeze_process({}, live_state::detail::summary);
        if (!frozen) { return tl::unexpected<error>(frozen.error()); }
        const snapshot& s = frozen->value;
        std::string why = too_large(s.info.resident_bytes, asked);
        const bool is_in_detail = why.empty();
        const footprint_facts facts = facts_of(state, s, is_in_detail);
        std::vector<std::uint64_t> region_begins;
        footprint out = is_in_detail ? measure_in_detail(facts, &region_begins) : measure_cheaply(facts, std::move(why));
        roll_up(s, out.modules);
        out.pid = s.info.pid;
        out.taken_ns = s.info.taken_ns;
        if (is_in_detail) { state.kernel_side.complete(out, region_begins, static_cast<std::uint64_t>(live_totals(s).bytes)); }
        out.took_ns = platform::monotonic_ns() - began_ns;
        return out;
    } catch (const std::bad_alloc&) { return fail(error_code::unavailable, "not enough memory to measure a footprint"); }
}

}  // namespace v1
}  // namespace memwatch
