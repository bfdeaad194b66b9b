// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a program wants done when something leaks or memory runs short: functions of its own, tied to verdicts or pressure.
// Never a shell command, never anything that memwatch thinks up.
//
//   auto evict = memwatch::register_remedy("evict-sessions", {.level = memwatch::verdict_level::suspect, .tag = "sessions"},
//                                          [&] { return sessions.shrink(); }, {.is_dry_run = false});
//   auto trim = memwatch::register_remedy("trim", {.on_pressure = true}, memwatch::release_free_memory);
//
// Without `is_dry_run = false` nothing is called: the log and the record say what would have been, and how often. Called on
// memwatch's thread, one at a time, under no lock of memwatch's; what it allocates is not sampled. A remedy is called again
// for as long as its reason stands, no sooner than `least_interval_ns` after the last time. Each call is a line in the log
// (event=remedy), a record (remedy_log()) and figures in snapshots and metrics: with what was resident before and after.
//
// Threads: any, unless said otherwise. C++17; designated initializers as above need C++20.

#ifdef MEMWATCH_DISABLE
#include <memwatch/none.hpp>
#else
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/model/verdict.hpp>

namespace memwatch {
inline namespace v1 {

// When. Of several reasons any is enough.
struct remedy_trigger {
    // A site or pool whose verdict is of that level or above (none: verdicts are no reason); with `tag`, only sites under that
    // tag and pools of that tag or name.
    verdict_level level{verdict_level::none};
    std::string tag;
    // The kernel reclaims, or little is left below the limit; only_critical: the next large allocation may be the last.
    bool on_pressure{false};
    bool only_critical{false};
};

// How: whether at all, and how often.
struct remedy_limits {
    bool is_dry_run{true};
    std::uint64_t least_interval_ns{60'000'000'000};  // between two calls
};

// One call, or what would have been one.
struct remedy_record {
    std::string remedy;
    std::string reason;  // "leak_retained of order-cache", "pressure critical"
    bool is_dry_run{};
    std::uint64_t time_unix_ns{};
    std::uint64_t took_ns{};
    std::uint64_t resident_before{};  // bytes of the process
    std::uint64_t resident_after{};
    std::uint64_t said_bytes{};  // what the function returned
};

// What a registration is made of; implemented by register_remedy().
class remedy {
public:
    virtual ~remedy() = default;
    // Bytes it got back as far as it knows; 0: it does not say. A throw is counted as a failure.
    virtual std::uint64_t run() = 0;
};

// Ends with its destruction, which waits for a call that is under way (but for one that destroys it itself): do not destroy it
// while holding a lock that the function takes.
class [[nodiscard]] remedy_registration {
public:
    remedy_registration() noexcept = default;
    // Takes `function`, made by new, over. Throws std::bad_alloc; then it is deleted at once.
    MEMWATCH_API remedy_registration(std::string_view name, remedy_trigger when, remedy* function, remedy_limits limits);
    remedy_registration(remedy_registration&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
    MEMWATCH_API remedy_registration& operator=(remedy_registration&& other) noexcept;
    MEMWATCH_API ~remedy_registration();

private:
    std::uint64_t id_{};  // 0: nothing is registered
};

namespace detail {

template <class Function>
class remedy_of final : public remedy {
public:
    explicit remedy_of(Function function) : function_(std::move(function)) {}
    std::uint64_t run() override {
        if constexpr (std::is_void_v<decltype(function_())>) {
            function_();
            return 0;
        } else {
            return static_cast<std::uint64_t>(function_());
        }
    }

private:
    Function function_;
};

}  // namespace detail

// `function()` returns nothing, or how many bytes it got back. `name`: 64 characters at most, for logs and metrics.
template <class Function>
[[nodiscard]] remedy_registration register_remedy(std::string_view name, remedy_trigger when, Function&& function,
                                                  remedy_limits limits = {}) {
    return remedy_registration(name, std::move(when),
                               new detail::remedy_of<std::decay_t<Function>>(std::forward<Function>(function)), limits);
}

// Built in: makes the allocator that is in charge give back what it keeps for later - malloc_trim (glibc), a purge of all
// arenas (jemalloc), ReleaseFreeMemory (tcmalloc), mi_collect (mimalloc). Takes milliseconds a GiB of heap and each arena's
// lock in turn. Returns by how much the process' resident memory shrank; 0 also for an allocator that it does not know.
MEMWATCH_API std::uint64_t release_free_memory() noexcept;

// The last 64 records, oldest first.
[[nodiscard]] MEMWATCH_API std::vector<remedy_record> remedy_log();

}  // namespace v1
}  // namespace memwatch
#endif
