// SPDX-License-Identifier: Apache-2.0
#pragma once
// A listening unix socket with a name in the file system, made so that nothing of anybody else's is touched.
//
//   nothing at the path                                   bound, mode 0600 from its first moment
//   a socket of this user that nobody answers on          left over from a process that died: replaced
//   anything else there (file, link, other user's, alive) an error; it stays
//
// At the end the name is removed if it is still the one that was bound. Of processes that start at the same moment over the
// same leftover one gets it, the others an error: a lock of the folder, from the look at the name until somebody listens there.
// Talks to the operating system (an exception line of the layering table). Threads: any.

#include <cstdint>
#include <string>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

// A name we bound: where, and which file it was then.
struct socket_file {
    std::string path;  // empty: none
    std::uint64_t device{};
    std::uint64_t inode{};
};

// Binds `path` to `descriptor`, an unbound unix stream socket, and listens. Errors: io, in words for a person.
[[nodiscard]] result<socket_file> listen_at_unix_path(int descriptor, const std::string& path, int backlog);

void remove_socket_file(const socket_file& bound) noexcept;

// Whether the peer of a connected unix socket is this process' user or root (SO_PEERCRED: who connected, not who holds it).
[[nodiscard]] bool is_own_peer(int descriptor) noexcept;

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
