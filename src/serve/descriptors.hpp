// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a guest must do with descriptors, signals and files, and Asio does not: sockets that are close-on-exec from birth and
// closed in a forked child, a thread that takes no signals, a secret read from a private file. With unix_listener the only
// files of this room that talk to the operating system (exception lines of the layering table).
//
// Fork: otherwise the child would keep the port taken, and connections half alive after the parent closed them. One
// `descriptor_guard` a server; a pthread_atfork handler, registered with the first, holds one lock across the fork, and whoever
// opens or closes a guarded descriptor holds it too: a child never inherits one that is not listed. The child's handler only
// calls close(). Rank: that lock is outermost; the allocator's and memwatch's own locks may be taken under it.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include <memwatch/base/result.hpp>

#include "serve/listen_address.hpp"
#include "serve/unix_listener.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

class descriptor_guard {
public:
    descriptor_guard();
    ~descriptor_guard();
    descriptor_guard(const descriptor_guard&) = delete;
    descriptor_guard& operator=(const descriptor_guard&) = delete;

    struct listening_socket {
        int descriptor{};
        listen_address where;  // as bound: with the port that was free
        socket_file file;      // of a unix socket
    };

    // Non-blocking, close-on-exec, SO_REUSEADDR, bound and listening. Errors: io, in words for a person.
    [[nodiscard]] result<listening_socket> open_listener(const listen_address& where);

    // The next connection of `listener`, non-blocking and close-on-exec; -1 when there is none (any more). -2 when the process
    // is out of descriptors or memory, and asking again at once would spin.
    [[nodiscard]] int accept(int listener);

    // A socket to connect with, non-blocking and close-on-exec; -1 and errno when there is none.
    [[nodiscard]] int open_client(int family);

    // The epoll instance that watches `listener` and whatever else that one watches: an event loop's own descriptors, which
    // Asio keeps private. Found through /proc/self/fdinfo; without /proc they stay open in a child, which is a leak of three.
    void add_event_loop_of(int listener);

    // Runs `close`, which must close `descriptor`, and forgets it.
    template <class Close>
    void close(int descriptor, Close close) noexcept {
        const std::lock_guard<std::mutex> lock(fork_mutex());
        forget_locked(descriptor);
        close();
    }

    // True in a process forked after the guard was made: the numbers belong to others now.
    [[nodiscard]] bool is_in_child() const noexcept { return is_in_child_; }

private:
    friend struct fork_handlers;

    [[nodiscard]] static std::mutex& fork_mutex();
    void forget_locked(int descriptor) noexcept;

    std::vector<int> descriptors_;  // guarded by fork_mutex()
    bool is_in_child_{};            // written in the child, before any other thread exists there
};

void close_descriptor(int descriptor) noexcept;

// While one lives, the calling thread takes no signal, and threads it starts inherit that.
class signals_blocked {
public:
    signals_blocked();
    ~signals_blocked();
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    struct mask;
    mask* before_;
};

void name_this_thread(const char* name) noexcept;  // at most 15 characters

// The contents of a regular file of this user (or root) that nobody else may read. Errors: io, invalid_argument, limit.
[[nodiscard]] result<std::string> read_private_file(const std::string& path, std::size_t max_bytes);

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
