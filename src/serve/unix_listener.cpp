// SPDX-License-Identifier: Apache-2.0
#include "serve/unix_listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

sockaddr_un to_address(const std::string& path) {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    std::memcpy(out.sun_path, path.data(), path.size());  // parse_listen_address() bounds it
    return out;
}

int bind_to(int descriptor, const sockaddr_un& address) {
    return ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

// Only a refused connection proves that nobody listens: a full backlog or a denied one is somebody.
bool is_deserted(const sockaddr_un& address) {
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) { return false; }
    const bool is_refused =
        ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED;
    ::close(probe);
    return is_refused;
}

// Why what stands at the path stays; empty when it was a leftover of ours and is gone.
std::string remove_leftover(const sockaddr_un& address) {
    struct stat found {};
    if (::lstat(address.sun_path, &found) != 0) { return std::strerror(errno); }
    if (!S_ISSOCK(found.st_mode)) { return "something that is no socket stands there"; }
    if (found.st_uid != ::geteuid()) { return "a socket of another user stands there"; }
    if (!is_deserted(address)) { return "somebody listens there already"; }
    return ::unlink(address.sun_path) == 0 ? std::string() : std::strerror(errno);
}

}  // namespace

result<socket_file> bind_unix_path(int descriptor, const std::string& path) {
    const sockaddr_un address = to_address(path);
    const auto failed = [&](const std::string& why) { return fail(error_code::io, "cannot listen: " + why, "unix:" + path); };
    // Linux creates the file with the mode of the socket's own inode: no moment in which others may connect, and no umask().
    if (::fchmod(descriptor, S_IRUSR | S_IWUSR) != 0) { return failed(std::strerror(errno)); }
    if (bind_to(descriptor, address) != 0) {
        if (errno != EADDRINUSE) { return failed(std::strerror(errno)); }
        if (const std::string why = remove_leftover(address); !why.empty()) { return failed(why); }
        if (bind_to(descriptor, address) != 0) { return failed(std::strerror(errno)); }
    }
    struct stat made {};
    if (::lstat(path.c_str(), &made) != 0) { return failed(std::strerror(errno)); }
    return socket_file{path, made.st_dev, made.st_ino};
}

void remove_socket_file(const socket_file& bound) noexcept {
    struct stat now {};
    if (bound.path.empty() || ::lstat(bound.path.c_str(), &now) != 0) { return; }
    if (now.st_dev == bound.device && now.st_ino == bound.inode) { ::unlink(bound.path.c_str()); }
}

bool is_own_peer(int descriptor) noexcept {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) { return false; }
    return peer.uid == ::geteuid() || peer.uid == 0;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
