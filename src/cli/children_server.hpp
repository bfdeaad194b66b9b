// SPDX-License-Identifier: Apache-2.0
#pragma once
// HTTP for programs that know nothing of it: the parent answers, over the control sockets of the processes it watches
// (decision: no server inside foreign programs, no fights for a port after fork, one view of a tree of processes).
//
// /metrics has a `pid` label on each series of a process: their sums would be wrong for some. /debug/... is about one process:
// ?pid=N, without it the one with the lowest number. Processes are those of the run that leaves its dumps in `dump_dir`.
// Threads: the server's own. With a build that has no serve: an error.

#include <memory>
#include <string>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

class children_server {
public:
    virtual ~children_server() = default;
};

// `address` empty: null, which is fine. Errors: invalid_argument, io, unsupported.
[[nodiscard]] result<std::unique_ptr<children_server>> serve_children(const std::string& address, const std::string& dump_dir);

}  // namespace v1
}  // namespace memwatch
