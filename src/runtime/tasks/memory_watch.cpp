// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/memory_watch.hpp"

#include <new>
#include <utility>
#include <vector>

#include <memwatch/model/weight.hpp>
#include "footprint/time_to_oom.hpp"
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
    // relaxed: a number; the worker is told by bind().
    if (origin_ns_.exchange(origin_ns, std::memory_order_relaxed) != origin_ns) {
        const std::lock_guard guard(mutex_);
        forget();  // another clock: times before are none of this timeline
    }
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
    return keep(next);
}

// The forecast is made of a second's points: no need to make it more often.
std::uint64_t memory_watch::keep(const memory_reading& next) noexcept {
    const std::lock_guard guard(mutex_);
    const bool is_next_second = next.time_ns / second_ns != latest_.time_ns / second_ns;
    latest_ = next;
    curve_.add(next, reader_.tightest());
    if (is_next_second) {
        forecast_ = forecast_oom(curve_, next.process.address_space_limit);
        if (forecast_) { forecast_->made_ns = next.time_ns; }
    }
    level_.store(gauge_.judge(next), std::memory_order_relaxed);  // relaxed: see level()
    return gauge_.pause_ns();
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

std::optional<oom_forecast> memory_watch::forecast() const noexcept {
    const std::lock_guard guard(mutex_);
    return forecast_;
}

std::vector<curve_point> memory_watch::curve(std::uint32_t span_s) const {
    const std::lock_guard guard(mutex_);
    return curve_.copy(span_s);
}

std::uint64_t memory_watch::times_risen_to(pressure_level level) const noexcept {
    const std::lock_guard guard(mutex_);
    return gauge_.times_risen_to(level);
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
    forget();
}

void memory_watch::forget() noexcept {
    looked_for_groups_ns_ = 0;
    heap_read_took_ns_ = 0;
    latest_ = {};
    curve_.clear();
    forecast_.reset();
    gauge_ = {};
    level_.store(pressure_level::none, std::memory_order_relaxed);  // relaxed: see level()
}

}  // namespace v1
}  // namespace memwatch
