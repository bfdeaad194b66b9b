// SPDX-License-Identifier: Apache-2.0
#pragma once
// A pool of objects of one type, with a lock-free free list: acquire constructs, release destroys, storage stays.
//
//   memwatch::object_pool<order> pool{"orders", {.capacity = 1024}};
//   auto order = pool.acquire(id);               // RAII handle; empty when a bounded pool is exhausted
//   order* raw = pool.acquire_raw(id);           // null when exhausted
//   pool.release(raw);
//   auto patient = pool.acquire_for(50ms, id);   // waits for a release; empty when none came in time. acquire_wait: for ever
//
// Each object in use is counted exactly under the pool's tag and is visible to the sampler, with the stack that acquired it.
// Misuse is counted (pool_misuses in snapshots) and reported with the place it happened at, and never corrupts the pool: a
// double release and a foreign pointer are refused; a pool destroyed while objects are out gives up its storage only when the
// last one comes back through its handle. The members are always inlined so that the address the core remembers of a caller
// lies in the user's own function. Threads: acquire and release from any. Complexity: O(1), but for growth, which takes a lock
// and allocates. Whoever waits is woken by a release, but an acquire that comes at that moment may be faster: no order is kept.
//
// Storage comes from operator new, or from a std::pmr::memory_resource: `{.upstream = memwatch::resource(tag)}`, another pool's
// (pool_resource.hpp) or the user's own. It must outlive the pool and its last object; the first two are recognised, and the
// pool's row in snapshots then names its upstream, so that sums count the storage once (docs/pools.md).

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/tag.hpp>
#include <memwatch/capture/type_name.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

// How a pool begins and whether it grows.
struct pool_options {
    std::size_t capacity = 1024;                    // objects that storage is made for at once; 1 .. 2^30
    bool can_grow = false;                          // double the storage instead of failing when all objects are out
    memwatch::tag tag{};                            // what objects in use are counted under; untagged: a tag of the pool's name
    std::pmr::memory_resource* upstream = nullptr;  // where storage comes from; null: operator new
};

namespace detail {

// A slot between the two halves of a release; 0 = refused.
struct release_ticket {
    std::uint32_t slot{};
};

// The pool without its type: storage, free list, checks. Compiled once (src/alloc/pool_core.cpp).
class MEMWATCH_API pool_core {
public:
    // Throws std::bad_alloc when there is no storage (or what upstream throws), std::bad_array_new_length for a capacity out of
    // range.
    [[nodiscard]] static pool_core* create(std::string_view name, std::size_t object_bytes, std::size_t alignment,
                                           std::string_view type, const pool_options& options);
    // The pool object is gone; the core ends with the last object that is out.
    void abandon() noexcept;

    static constexpr std::uint64_t forever = ~std::uint64_t{0};

    // Storage for one object, or null. The second waits up to `patience_ns` for a release.
    [[nodiscard]] void* acquire() noexcept;
    [[nodiscard]] void* acquire_within(std::uint64_t patience_ns) noexcept;

    // Checks that `object` is out and takes it back from its holder: then the caller destroys it and calls finish_release.
    // Refused: misuse, reported; leave the object alone.
    [[nodiscard]] release_ticket begin_release(void* object) noexcept;
    void finish_release(release_ticket ticket) noexcept;
    void release(void* object) noexcept;  // both, for objects without a destructor

    std::size_t shrink() noexcept;

    [[nodiscard]] std::string_view name() const noexcept;
    [[nodiscard]] std::size_t object_bytes() const noexcept;
    [[nodiscard]] std::size_t alignment() const noexcept;
    [[nodiscard]] pool_totals totals() const;

    pool_core(const pool_core&) = delete;
    pool_core& operator=(const pool_core&) = delete;

protected:
    pool_core() noexcept = default;
    ~pool_core() = default;
};

// A std::chrono::duration in nanoseconds, without its header: none below zero, and for ever beyond 146 years.
template <class Duration>
[[nodiscard]] constexpr std::uint64_t to_patience_ns(const Duration& patience) noexcept {
    const double ns = static_cast<double>(patience.count()) * 1e9 * static_cast<double>(Duration::period::num) /
                      static_cast<double>(Duration::period::den);
    return ns <= 0 ? 0 : ns >= 4.6e18 ? pool_core::forever : static_cast<std::uint64_t>(ns);
}

}  // namespace detail

template <class Type>
class object_pool {
public:
    // An object that goes back by itself. Movable; may outlive the pool.
    class handle {
    public:
        handle() noexcept = default;
        handle(handle&& other) noexcept : core_(other.core_), object_(std::exchange(other.object_, nullptr)) {}
        handle& operator=(handle&& other) noexcept {
            if (this != &other) {
                reset();
                core_ = other.core_;
                object_ = std::exchange(other.object_, nullptr);
            }
            return *this;
        }
        [[gnu::always_inline]] ~handle() { reset(); }

        [[nodiscard]] Type* get() const noexcept { return object_; }
        [[nodiscard]] Type& operator*() const noexcept { return *object_; }
        [[nodiscard]] Type* operator->() const noexcept { return object_; }
        [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }

        // Gives the object up: it must come back through object_pool::release.
        [[nodiscard]] Type* release() noexcept { return std::exchange(object_, nullptr); }
        [[gnu::always_inline]] void reset() noexcept {
            if (object_ != nullptr) { return_to(*core_, std::exchange(object_, nullptr)); }
        }

    private:
        friend class object_pool;
        handle(detail::pool_core* core, Type* object) noexcept : core_(core), object_(object) {}
        detail::pool_core* core_{};
        Type* object_{};
    };

    // Throws std::bad_alloc when there is no storage, std::bad_array_new_length for a capacity out of range.
    explicit object_pool(std::string_view name, const pool_options& options = {})
        : core_(detail::pool_core::create(name, sizeof(Type), alignof(Type), type_name<Type>(), options)) {}
    ~object_pool() { core_->abandon(); }
    object_pool(const object_pool&) = delete;
    object_pool& operator=(const object_pool&) = delete;

    // Throws what Type's constructor throws; the storage is then back in the pool.
    template <class... Arguments>
    [[nodiscard, gnu::always_inline]] handle acquire(Arguments&&... arguments) {
        return handle(core_, acquire_raw(std::forward<Arguments>(arguments)...));
    }

    template <class... Arguments>
    [[nodiscard, gnu::always_inline]] Type* acquire_raw(Arguments&&... arguments) {
        return construct(core_->acquire(), std::forward<Arguments>(arguments)...);
    }

    // As acquire(), but waits for a release when all objects are out: up to a std::chrono::duration, or for as long as it
    // takes. The pool must not be destroyed meanwhile.
    template <class Duration, class... Arguments>
    [[nodiscard, gnu::always_inline]] handle acquire_for(const Duration& patience, Arguments&&... arguments) {
        void* const storage = core_->acquire_within(detail::to_patience_ns(patience));
        return handle(core_, construct(storage, std::forward<Arguments>(arguments)...));
    }
    template <class... Arguments>
    [[nodiscard, gnu::always_inline]] handle acquire_wait(Arguments&&... arguments) {
        void* const storage = core_->acquire_within(detail::pool_core::forever);
        return handle(core_, construct(storage, std::forward<Arguments>(arguments)...));
    }

    // Null is fine. Anything that is not out of this pool is refused and reported.
    [[gnu::always_inline]] void release(Type* object) noexcept {
        if (object != nullptr) { return_to(*core_, object); }
    }

    // Gives the pages on which no object lives back to the system; the pool keeps its addresses, and a page comes back when an
    // object on it is acquired (a page fault). Returns the bytes given back; 0 for storage of an upstream.
    // Meanwhile, milliseconds a GiB, only a quarter of the free objects can be acquired: a bounded pool that needs more of them
    // at once fails or waits as if they were out, and a growing one grows. For remedies (remedies.hpp). Any thread.
    std::size_t shrink() noexcept { return core_->shrink(); }

    // Complexity: as many steps as objects were ever in use at once.
    [[nodiscard]] pool_totals totals() const { return core_->totals(); }
    [[nodiscard]] std::string_view name() const noexcept { return core_->name(); }

private:
    friend class pool_resource;

    struct storage_guard {  // takes the storage back when the constructor throws
        detail::pool_core& core;
        void* storage;
        ~storage_guard() {
            if (storage != nullptr) { core.release(storage); }
        }
    };

    template <class... Arguments>
    [[nodiscard, gnu::always_inline]] Type* construct(void* storage, Arguments&&... arguments) {
        if (storage == nullptr) { return nullptr; }
        storage_guard guard{*core_, storage};
        auto* const object = ::new (storage) Type(std::forward<Arguments>(arguments)...);
        guard.storage = nullptr;
        return object;
    }

    [[gnu::always_inline]] static void return_to(detail::pool_core& core, Type* object) noexcept {
        if constexpr (std::is_trivially_destructible_v<Type>) {
            core.release(object);
        } else {
            const detail::release_ticket ticket = core.begin_release(object);
            if (ticket.slot == 0) { return; }
            object->~Type();
            core.finish_release(ticket);
        }
    }

    detail::pool_core* core_;
};

}  // namespace v1
}  // namespace memwatch
