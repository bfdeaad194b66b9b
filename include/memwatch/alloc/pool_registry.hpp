// SPDX-License-Identifier: Apache-2.0
#pragma once
// A pool of the user's own, shown beside memwatch's pools: register a function that says how the pool is doing.
//
//   auto shown = memwatch::register_pool("conn", [&] { return memwatch::pool_stats{.capacity = 64, .in_use = conns.busy()}; },
//                                        {.upstream = cache});
//
// The upstream edge says under which tag the pool's storage is counted already, so that sums count it once.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/tag.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

// What a pool says of itself. Counts are objects; leave at 0 what the pool does not know.
struct pool_stats {
    std::uint64_t capacity{};
    std::uint64_t in_use{};
    std::uint64_t high_water{};
    std::uint64_t acquires{};
    std::uint64_t hits{};
    std::uint64_t acquire_failures{};
    std::uint64_t object_bytes{};
};

// How a registered pool relates to what memwatch counts anyway.
struct registered_pool_options {
    memwatch::tag upstream{};  // untagged: storage is not counted elsewhere
};

// Anything that shows up as a pool. Implementations outlive their registration.
class pool_source {
public:
    virtual ~pool_source() = default;
    // Called by freezing threads, one at a time, under no lock of memwatch's but this source's own: it may take the user's
    // locks, as long as nobody destroys this registration while holding one of them. A throw leaves the pool out of that
    // snapshot.
    [[nodiscard]] virtual pool_totals totals() const = 0;
    // Around fork(): take and give back what locks a child could inherit.
    virtual void lock_for_fork() noexcept {}
    virtual void unlock_after_fork() noexcept {}
};

// Keeps a pool on show; ends with its destruction, which waits for a totals() call that is under way.
class [[nodiscard]] pool_registration {
public:
    pool_registration() noexcept = default;
    MEMWATCH_API explicit pool_registration(std::shared_ptr<pool_source> source);
    pool_registration(pool_registration&&) noexcept = default;
    MEMWATCH_API pool_registration& operator=(pool_registration&& other) noexcept;
    MEMWATCH_API ~pool_registration();

private:
    std::shared_ptr<pool_source> source_;
};

namespace detail {

MEMWATCH_API pool_totals describe_registered(std::string_view name, const pool_stats& stats, memwatch::tag upstream);

template <class Stats>
class registered_pool final : public pool_source {
public:
    registered_pool(std::string_view name, Stats stats, registered_pool_options options)
        : name_(name), stats_(std::move(stats)), options_(options) {}
    [[nodiscard]] pool_totals totals() const override { return describe_registered(name_, stats_(), options_.upstream); }

private:
    std::string name_;
    mutable Stats stats_;
    registered_pool_options options_;
};

}  // namespace detail

// `stats()` returns pool_stats; it is called whenever a snapshot is taken, on the thread that takes it.
template <class Stats>
[[nodiscard]] pool_registration register_pool(std::string_view name, Stats&& stats, registered_pool_options options = {}) {
    return pool_registration(
        std::make_shared<detail::registered_pool<std::decay_t<Stats>>>(name, std::forward<Stats>(stats), options));
}

}  // namespace v1
}  // namespace memwatch
