// SPDX-License-Identifier: Apache-2.0
#pragma once
// A thread and descriptors of memwatch's own inside a process that is not ours: what a guest has to mind.
//
// Signals: the thread takes none, so the host's handlers never run on it. Descriptors: close-on-exec, moved to high numbers,
// where a host that closes everything and counts on the lowest free numbers does not meet them, and known by device and inode:
// a host may close any number and get it again for a file of its own, which is then never read, written or closed by us.
// Threads: as said at each class. Errors: return values; nothing throws.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace memwatch {
inline namespace v1 {
namespace platform {

class own_thread {
public:
    // Starts `run(argument)` with all signals blocked, `stack_bytes` beside what thread-local storage takes of a stack, and a
    // name of at most 15 characters. False: the system refused. Not while another is running.
    [[nodiscard]] bool start(const char* name, std::size_t stack_bytes, void (*run)(void*), void* argument) noexcept;
    // Waits for its end. False: it still runs after `timeout_ns`, and is left to itself.
    bool join(std::uint64_t timeout_ns) noexcept;
    // In a forked child: there is nothing to join.
    void forget() noexcept { is_joinable_ = false; }
    [[nodiscard]] bool is_joinable() const noexcept { return is_joinable_; }

private:
    unsigned long handle_{};  // pthread_t
    bool is_joinable_{};
};

// A descriptor that may stop being ours at any time. One owner; number() is for any thread.
class own_descriptor {
public:
    own_descriptor() noexcept = default;
    own_descriptor(const own_descriptor&) = delete;
    own_descriptor& operator=(const own_descriptor&) = delete;
    // Moving is for before anybody else knows it.
    own_descriptor(own_descriptor&& other) noexcept { take(other); }
    own_descriptor& operator=(own_descriptor&& other) noexcept {
        if (this != &other) {
            close();
            take(other);
        }
        return *this;
    }
    ~own_descriptor() { close(); }

    // Takes over `descriptor` (and closes it when it cannot be had at a high number); what was held before is closed.
    // False: `descriptor` is negative or the system refused.
    bool adopt(int descriptor) noexcept;
    // relaxed: a number that may be stale at any moment anyway; what is done with it is harmless then.
    [[nodiscard]] int number() const noexcept { return number_.load(std::memory_order_relaxed); }
    // Whether the number still names what was adopted.
    [[nodiscard]] bool is_ours() const noexcept;
    // Closes it, or only forgets it when it is not ours any more.
    void close() noexcept;

private:
    void take(own_descriptor& other) noexcept {
        // relaxed: see number().
        number_.store(other.number_.exchange(-1, std::memory_order_relaxed), std::memory_order_relaxed);
        device_ = other.device_;
        inode_ = other.inode_;
    }

    std::atomic<int> number_{-1};
    std::uint64_t device_{};
    std::uint64_t inode_{};
};

// Wakes a thread out of poll(). A message is a write of zero bytes: harmless in whatever file the number may name by now, and
// permitted by the strictest of system call filters.
class wake_signal {
public:
    // Makes sure that both ends are there and ours. Not concurrently with itself.
    bool open() noexcept;
    [[nodiscard]] bool is_ours() const noexcept { return reader_.is_ours() && writer_.is_ours(); }
    void close() noexcept;
    // Readable after send(), until drained.
    [[nodiscard]] int reader() const noexcept { return reader_.number(); }
    void drain() const noexcept;
    // Any thread. errno is kept. [hook]
    void send() const noexcept;

private:
    own_descriptor reader_;
    own_descriptor writer_;
};

void sleep_ns(std::uint64_t duration_ns) noexcept;

// A descriptor, what is waited for, and what came.
struct awaited_descriptor {
    int number{-1};         // < 0: skipped
    bool wants_write{};     // else to read
    bool wants_priority{};  // else that, which files of the kernel have news by (POLLPRI)
    bool is_ready{};        // also for an error or a number that is closed: acting on it will tell
};

// Waits until one of them is ready or the time is over. Interruptions count as neither.
void wait_for(awaited_descriptor* list, std::size_t count, std::uint64_t timeout_ns) noexcept;

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
