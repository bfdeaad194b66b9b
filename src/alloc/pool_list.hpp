// SPDX-License-Identifier: Apache-2.0
#pragma once
// The pools on show. One list in a process; it belongs to runtime/ (process_state.cpp) and is never destroyed.

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <memwatch/alloc/pool_registry.hpp>

namespace memwatch {
inline namespace v1 {

enum class pool_misuse { double_release, foreign_pointer, outstanding_at_destruction };

// A broken promise of a pool's user, with the places in the program it involves.
struct pool_misuse_report {
    pool_misuse kind;
    const char* pool;
    const void* caller;       // where it happened; null: the destructor
    const void* last_caller;  // who acquired (outstanding) or released (double release) the object before; may be null
    std::size_t objects;      // outstanding_at_destruction: how many
};

class pool_list {
public:
    void add(std::shared_ptr<pool_source> source);
    void remove(const pool_source* source) noexcept;
    [[nodiscard]] std::vector<pool_reading> read() const;

    // Who is told of misuse. Called on the thread that misused, outside any lock.
    using misuse_listener = void (*)(const pool_misuse_report& report) noexcept;
    void report(const pool_misuse_report& misuse) const noexcept;
    // release: pairs with the acquire in report().
    void set_misuse_listener(misuse_listener listener) noexcept { listener_.store(listener, std::memory_order_release); }

    void lock_for_fork() noexcept;
    void unlock_after_fork() noexcept;
    // In a forked child, before unlock_after_fork(): calls and waits of lost threads are over.
    void forget_calls() noexcept;

private:
    // A source on show. Its function is the user's and may take the user's locks, so it is called under the entry's mutex
    // alone: others may come, go and fork meanwhile. Only the removal of the same source waits. A function that asks for a
    // snapshot comes back here on its own thread: there its pool is left out, and so are pools that another thread is asking,
    // which may be waiting for this one.
    struct entry {
        std::shared_ptr<pool_source> source;
        std::mutex calling;
        std::atomic<std::thread::id> caller{};  // who holds `calling` to call the function
        bool is_removed{};                      // guarded by calling

        // relaxed: a thread finds its own id only where it wrote it itself.
        [[nodiscard]] bool is_called_by_this_thread() const noexcept {
            return caller.load(std::memory_order_relaxed) == std::this_thread::get_id();
        }
    };

    static void read(entry& from, std::vector<pool_reading>& into);

    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<entry>> entries_;  // guarded by mutex_
    std::atomic<misuse_listener> listener_{nullptr};
};

// Defined by runtime/.
[[nodiscard]] pool_list& process_pools() noexcept;

}  // namespace v1
}  // namespace memwatch
