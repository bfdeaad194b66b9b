// SPDX-License-Identifier: Apache-2.0
#pragma once
// The control socket of this process. It never waits: its owner's loop asks what it awaits, sleeps, and calls advance().
//
//   closed --open()--> listening --take_client()--> reading --line complete--> [answer()] --> writing --> listening
//                          ^                           |  2 s, nonsense: refused  |  5 s without progress: dropped |
//                          +---------------------------+--------------------------+-------------------------------+
//
// Threads: one, the worker's; enter_child() in a forked child. open() and take_client() make descriptors: call them under the
// lock that fork takes. The answering function runs inside advance(). Errors: control lane.

#include <cstdint>
#include <functional>
#include <string>

#include <memwatch/base/result.hpp>

#include "control/protocol.hpp"
#include "platform/own_thread.hpp"

namespace memwatch {
inline namespace v1 {
namespace control {

using answer_function = std::function<result<std::string>(const request&)>;

class server {
public:
    server() = default;
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    ~server() { close(); }

    void set_answer(answer_function answer) { answer_ = std::move(answer); }

    // Makes sure that a socket of ours is bound for the user this process runs as now; cheap when it is.
    // Errors: as make_socket_directory(), limit (the path is too long), unavailable (somebody else holds the name).
    result<void> open(const std::string& runtime_directory);
    // Removes the socket from the file system if it is still the one we bound.
    void close() noexcept;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }  // empty: closed

    // What to wait for next, and until when (CLOCK_MONOTONIC) at most.
    [[nodiscard]] platform::awaited_descriptor awaited() const noexcept;
    [[nodiscard]] std::uint64_t due_ns() const noexcept { return has_client() ? due_ns_ : ~std::uint64_t{0}; }

    // When there is none, the next connection if one waits.
    void take_client(std::uint64_t now_ns) noexcept;
    // Goes on with the client as far as that is possible without waiting, and drops one whose time is over.
    void advance(std::uint64_t now_ns) noexcept;

    // In a forked child: closes what is still ours, unlinks nothing.
    void enter_child() noexcept;

private:
    [[nodiscard]] bool has_client() const noexcept { return client_.number() >= 0; }
    [[nodiscard]] result<void> bind(const std::string& directory);
    void read_some(std::uint64_t now_ns);
    void answer_to(std::string_view line, std::uint64_t now_ns);
    void begin_answer(result<std::string> answer, std::uint64_t now_ns);
    void write_some(std::uint64_t now_ns);
    void drop_client() noexcept;

    answer_function answer_;
    platform::own_descriptor listener_;
    platform::own_descriptor client_;
    std::string path_;
    std::uint64_t path_device_{};
    std::uint64_t path_inode_{};
    std::uint64_t user_{};  // effective user the socket was bound for

    std::string input_;   // of the request, header included
    std::string header_;  // of the answer; empty: still reading
    std::string body_;
    std::uint64_t sent_{};    // bytes of header and body together
    std::uint64_t due_ns_{};  // when the client is dropped
};

}  // namespace control
}  // namespace v1
}  // namespace memwatch
