// SPDX-License-Identifier: Apache-2.0
#pragma once
// A pool of the user's own, shown beside memwatch's pools: register a function that says how the pool is doing.
//
//   auto shown = memwatch::register_pool("conn", [&] { return memwatch::pool_stats{.capacity = 64, .in_use = conns.busy()}; },
//                                        {.upstream = cache});
//
// The upstream edge says where the pool's storage is counted already - under a tag, or as objects in use of another pool - so
// that sums count it once (docs/pools.md).

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/tag.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

template <class Type>
class object_pool;

// What a pool says of itself. Counts are objects; leave at 0 what the pool does not know.
struct pool_stats {
    std::uint64_t capacity{};
    std::uint64_t in_use{};
    std::uint64_t high_water{};
    std::uint64_t acquires{};
    std::uint64_t hits{};
    std::uint64_t acquire_failures{};
    std::uint64_t object_bytes{};
    std::uint64_t storage_bytes{};       // obtained from upstream; 0: capacity * object_bytes
    std::uint64_t waiters{};             // threads that wait for an object now
    std::uint64_t most_waiters{};        // at once
    std::uint64_t waits{};               // acquires that waited
    std::uint64_t wait_ns{};             // all waits that ended, added up
    std::uint64_t oldest_checkout_ns{};  // age of the object that is out longest
    trace_id oldest_trace{};             // what it was taken for
};

// Where storage is counted already: nowhere, under a tag, or as objects in use of another pool.
class upstream_edge {
public:
    upstream_edge() noexcept = default;
    upstream_edge(memwatch::tag owner) : name_(owner != memwatch::tag{} ? owner.name() : std::string_view{}) {}
    template <class Type>
    upstream_edge(const object_pool<Type>& pool) : upstream_edge(pool_named(pool.name())) {}
    // A pool of the user's own, by the name it is registered under.
    [[nodiscard]] static upstream_edge pool_named(std::string_view name) {
        upstream_edge edge;
        edge.name_ = name;
        edge.is_pool_ = !name.empty();
        return edge;
    }
    // Of memwatch's own resources; nowhere for others.
    [[nodiscard]] MEMWATCH_API static upstream_edge of(const std::pmr::memory_resource& resource);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] bool is_pool() const noexcept { return is_pool_; }

private:
    std::string name_;
    bool is_pool_{};
};

// How a registered pool relates to what memwatch counts anyway.
struct registered_pool_options {
    upstream_edge upstream{};
};

// What a snapshot wants to know of a pool beyond its totals.
struct pool_reading {
    pool_totals totals;
    const void* oldest_caller{};  // where the oldest checkout was acquired
    std::uint64_t self_bytes{};   // what memwatch itself holds for the pool
};

// Anything that shows up as a pool. Implementations outlive their registration.
class pool_source {
public:
    virtual ~pool_source() = default;
    // Called by freezing threads, one at a time, under no lock of memwatch's but this source's own: it may take the user's
    // locks, as long as nobody destroys this registration while holding one of them. A throw leaves the pool out of that
    // snapshot.
    [[nodiscard]] virtual pool_reading read() const = 0;
    // Around fork(): take and give back what locks a child could inherit.
    virtual void lock_for_fork() noexcept {}
    virtual void unlock_after_fork() noexcept {}
    // In a forked child, with the locks held: other threads' business is over.
    virtual void enter_child() noexcept {}
};

// Keeps a pool on show; ends with its destruction, which waits for a read() call that is under way.
class [[nodiscard]] pool_registration {
public:
    pool_registration() noexcept = default;
    // Takes `source`, made by new, over: it is deleted when this ends and nobody reads it any more. Throws std::bad_alloc; then
    // it is deleted at once. (No smart pointer: <memory> is a sixth of what including <memwatch/memwatch.hpp> costs in C++20.)
    MEMWATCH_API explicit pool_registration(pool_source* source);
    pool_registration(pool_registration&& other) noexcept : source_(std::exchange(other.source_, nullptr)) {}
    MEMWATCH_API pool_registration& operator=(pool_registration&& other) noexcept;
    MEMWATCH_API ~pool_registration();

private:
    pool_source* source_{};  // on show; null: nothing
};

namespace detail {

MEMWATCH_API pool_totals describe_registered(std::string_view name, const pool_stats& stats, const upstream_edge& upstream);

template <class Stats>
class registered_pool final : public pool_source {
public:
    registered_pool(std::string_view name, Stats stats, registered_pool_options options)
        : name_(name), stats_(std::move(stats)), options_(std::move(options)) {}
    [[nodiscard]] pool_reading read() const override {
        return {describe_registered(name_, stats_(), options_.upstream), nullptr, 0};
    }

private:
    std::string name_;
    mutable Stats stats_;
    registered_pool_options options_;
};

}  // namespace detail

// `stats()` returns pool_stats; it is called whenever a snapshot is taken, on the thread that takes it. It may take a snapshot
// itself: that one leaves this pool out.
template <class Stats>
[[nodiscard]] pool_registration register_pool(std::string_view name, Stats&& stats, registered_pool_options options = {}) {
    return pool_registration(
        new detail::registered_pool<std::decay_t<Stats>>(name, std::forward<Stats>(stats), std::move(options)));
}

}  // namespace v1
}  // namespace memwatch
