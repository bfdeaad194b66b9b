// SPDX-License-Identifier: Apache-2.0
#pragma once
// A descriptor that becomes ready when memory is short: what the kernel tells of a cgroup, or what the service manager named.
//
//   watch_events   v2 memory.events, opened for reading only: all that a container with a read-only cgroupfs allows. Ready when
//                  any of its counts changes (high, max, oom ...)
//   watch_manager  $MEMORY_PRESSURE_WATCH and $MEMORY_PRESSURE_WRITE, systemd's protocol: a file of the kernel (usually the
//                  group's memory.pressure, to which the message is written: how much stalling is too much) or a socket. A fifo
//                  is not read: the program itself may be who is meant to.
//
// Threads: one at a time. Nothing waits, nothing is allocated. errno is not kept.

#include "platform/own_thread.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {

class pressure_signal {
public:
    // False: it is not there, may not be opened, or is of no such kind. What was watched before is closed.
    bool watch_events(const char* path) noexcept;
    // `message`: base64, may be null.
    bool watch_manager(const char* path, const char* message) noexcept;

    [[nodiscard]] bool is_open() const noexcept { return kind_ != kind::none; }
    // To be waited for; nothing, if nothing is watched.
    [[nodiscard]] awaited_descriptor awaited() const noexcept;

    // Whether memory was short since the last time. Closes what has ended, or is not ours any more.
    bool take() noexcept;
    void close() noexcept;

private:
    enum class kind : unsigned char { none, events, trigger, socket };
    [[nodiscard]] bool read_all() const noexcept;  // false: it has ended

    own_descriptor descriptor_;
    kind kind_{kind::none};
};

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
