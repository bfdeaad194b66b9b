// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/memory_watch.hpp"

#include <new>
#include <utility>
#include <vector>

#include <memwatch/model/weight.hpp>
#include "platform/platform.hpp"
#include "runtime/process_state.hpp"
#include "runtime/self_bytes.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t groups_are_good_for_ns = 30 * second_ns;  // processes are moved seldom, and rarely late in their life
constexpr std::uint64_t heap_pause_share = 200;                   // adding the live blocks up takes at most 0.5 % of a CPU

std::uint64_t take_turn(void* state, std::uint64_t) noexcept {
    auto& all = *static_cast<process_state*>(state);
    return all.memory.turn(all);
}

// The live blocks, by weight.
struct heap_sum {
    sampled_totals sum;
    void see(const live_record& block) noexcept { sum.add(block.size_bytes, block.interval_bytes); }
    template <class... Totals>
    void see(std::uint32_t, const Totals&...) noexcept {}
};

}  // namespace

void memory_watch::begin(process_state& state, std::uint64_t origin_ns) noexcept {
    origin_ns_.store(origin_ns, std::memory_order_relaxed);  // relaxed: a number; the worker is told by bind()
    state.worker.bind(worker_task::memory_watch, &take_turn, &state);
}

std::uint64_t memory_watch::turn(process_state& state) noexcept {
    const std::uint64_t now_ns = platform::monotonic_ns();
    if (looked_for_groups_ns_ == 0 || now_ns - looked_for_groups_ns_ > groups_are_good_for_ns) {
        try {
            reader_.look_for_groups(roots_);
            looked_for_groups_ns_ = now_ns;
        } catch (...) {}  // no memory: what was found before stays
    }
    memory_reading next = latest();  // what is not read anew stays
    const std::uint64_t now = state.capture.now_ns();
    const std::uint64_t origin = origin_ns_.load(std::memory_order_relaxed);  // relaxed: a number
    next.time_ns = now > origin ? now - origin : 1;                           // 0 is "never"
    reader_.read(next);
    read_heap(state, next);
    next.self_bytes = total_self_bytes(state);
    {
        const std::lock_guard guard(mutex_);
        latest_ = next;
    }
    return second_ns;
}

void memory_watch::read_heap(process_state& state, memory_reading& into) noexcept {
    const std::uint64_t began_ns = platform::monotonic_ns();
    if (began_ns - heap_read_ns_ < heap_read_took_ns_ * heap_pause_share) { return; }
    // acquire: pairs with the release in build_live().
    live_state* const live = state.live.load(std::memory_order_acquire);
    if (live == nullptr) { return; }
    try {
        heap_sum blocks;
        std::vector<exact_site_totals> scratch;
        live->visit(blocks, scratch);
        into.live_bytes = static_cast<std::uint64_t>(blocks.sum.bytes);
    } catch (...) {}  // no memory: the sum before stays
    heap_read_ns_ = platform::monotonic_ns();
    heap_read_took_ns_ = heap_read_ns_ - began_ns;
}

memory_reading memory_watch::latest() const noexcept {
    const std::lock_guard guard(mutex_);
    return latest_;
}

void memory_watch::copy_into(snapshot& into) const {
    const memory_reading now = latest();
    if (now.time_ns == 0) { return; }
    into.activity.push_back({"memory_read_ns", now.time_ns});
    into.activity.push_back({"process_anonymous_bytes", now.process.anonymous});
    into.activity.push_back({"process_file_bytes", now.process.file});
    into.activity.push_back({"process_shared_bytes", now.process.shared});
    into.activity.push_back({"process_swapped_bytes", now.process.swapped});
    into.activity.push_back({"process_page_table_bytes", now.process.page_tables});
    if (now.cgroup.current == 0) { return; }
    into.activity.push_back({"cgroup_bytes", now.cgroup.current});
    into.activity.push_back({"cgroup_unreclaimable_bytes", now.cgroup.unreclaimable});
    if (now.cgroup.limit != 0) { into.activity.push_back({"cgroup_limit_bytes", now.cgroup.limit}); }
}

std::size_t memory_watch::self_bytes() const noexcept { return sizeof *this; }

// What the parent's worker was in the middle of changing is left alone.
void memory_watch::enter_child() noexcept {
    new (&reader_) memory_reader();
    forget_last_turn();
    latest_ = {};
}

void memory_watch::forget_last_turn() noexcept {
    looked_for_groups_ns_ = 0;
    heap_read_took_ns_ = 0;
}

}  // namespace v1
}  // namespace memwatch
