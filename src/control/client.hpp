// SPDX-License-Identifier: Apache-2.0
#pragma once
// The asking side: one question to one process. Who answers is checked before a byte is sent: it must be that process.
//
// In: a pid and a request. Out: the body of the answer. Threads: any; each call is a connection of its own.

#include <cstdint>
#include <string>

#include <memwatch/base/result.hpp>

#include "control/protocol.hpp"

namespace memwatch {
inline namespace v1 {
namespace control {

struct client_limits {
    std::uint64_t connect_ns{2'000'000'000};  // also how long a socket that is just being bound anew is tried for
    std::uint64_t answer_ns{60'000'000'000};  // from the request to the last byte
};

// Errors: unreachable (no such process, no socket, another user's, not the process that was meant, too slow, not the protocol),
// limit, and whatever the process answers; `where` is "pid N".
[[nodiscard]] result<std::string> ask(std::uint64_t pid, const request& what, const client_limits& limits = {});

}  // namespace control
}  // namespace v1
}  // namespace memwatch
