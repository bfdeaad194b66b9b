// SPDX-License-Identifier: Apache-2.0
#pragma once
// A bounded queue from many threads to one: Boost.Lockfree's, over memory that the owner provides. Pushing neither allocates
// nor blocks; what finds the ring full is refused, and the caller counts it. For things that may be lost: never for frees.
//
//   producers  --try_push-->  [ e | e | e | - | - | ... ]  --try_pop-->  one consumer at a time
//
// Limits: at most 65,534 events (the library's links are 16 bits wide). A link carries a 16-bit version beside it, so a
// producer that stands still inside try_push() for exactly a multiple of 65,536 operations of others could link wrongly: with
// thousands of events a second that is a thread that sleeps for seconds between two instructions and is met to the operation.
// Events would be lost, no memory; the price is in the name of what this carries. A ring is never handed to a forked child: the
// parent's other threads may have been in the middle of it (see live/lifecycle.hpp for how a child gets a new one). The header
// costs 0.4 s an include: for .cpp files.

#include <cstddef>
#include <type_traits>

#include <boost/lockfree/queue.hpp>

namespace memwatch {
inline namespace v1 {

namespace detail {

// The memory for the next queue that this thread makes. Boost 1.74 has no constructor that takes both a size and an allocator
// with state, so the way there is a variable of the thread. Initial-exec, as the thread block: a ring may be built inside a
// hook, where no TLS may be allocated.
inline __attribute__((tls_model("initial-exec"))) __thread void* announced_memory = nullptr;

template <class T>
struct announced_memory_allocator {
    using value_type = T;
    announced_memory_allocator() noexcept = default;
    template <class Other>
    announced_memory_allocator(const announced_memory_allocator<Other>&) noexcept {}

    [[nodiscard]] T* allocate(std::size_t) const noexcept { return static_cast<T*>(announced_memory); }
    void deallocate(T*, std::size_t) const noexcept {}
    friend bool operator==(const announced_memory_allocator&, const announced_memory_allocator&) noexcept { return true; }
};

}  // namespace detail

template <class Event>
class ring {
    static_assert(std::is_trivially_copyable_v<Event>);

public:
    static constexpr std::size_t max_capacity = 65'534;
    // An event and its link, rounded to a cache line.
    static constexpr std::size_t node_bytes = (sizeof(Event) + 8 + 63) / 64 * 64;
    [[nodiscard]] static constexpr std::size_t memory_bytes(std::size_t capacity) noexcept {
        constexpr std::size_t alignment_slack = 128;           // Boost aligns the nodes itself, behind a pointer of its own
        return (capacity + 1) * node_bytes + alignment_slack;  // the queue keeps one node for itself
    }

    // `memory`: memory_bytes(capacity), aligned to 64, of any content. 0 < capacity <= max_capacity. Touches all of it.
    ring(void* memory, std::size_t capacity) : queue_(announce(memory, capacity)) {}

    // False: full. Threads: any. [hook]
    [[nodiscard]] bool try_push(const Event& event) noexcept { return queue_.bounded_push(event); }
    // False: empty. Threads: one at a time.
    [[nodiscard]] bool try_pop(Event& into) noexcept { return queue_.pop(into); }

private:
    using queue_type = boost::lockfree::queue<Event, boost::lockfree::fixed_sized<true>,
                                              boost::lockfree::allocator<detail::announced_memory_allocator<Event>>>;
    static_assert(sizeof(typename queue_type::allocator::value_type) == node_bytes);

    static std::size_t announce(void* memory, std::size_t capacity) noexcept {
        detail::announced_memory = memory;
        return capacity;
    }

    queue_type queue_;
};

}  // namespace v1
}  // namespace memwatch
