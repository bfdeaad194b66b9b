// SPDX-License-Identifier: Apache-2.0
#include "serve/unix_listener.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

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

// The one of us who looks at, replaces or removes a name in the folder of `path`. An flock(2) of the folder itself: nothing is
// left behind, and it ends with the process. A folder that cannot be opened or locked, or that a stranger keeps locked, is gone
// on without: then the last of two starters has the name. Allocates nothing.
class folder_lock {
public:
    explicit folder_lock(const char* path) noexcept {
        char folder[sizeof(sockaddr_un::sun_path) + 1] = ".";
        if (const char* const slash = std::strrchr(path, '/'); slash != nullptr) {
            const auto length = static_cast<std::size_t>(slash - path) + 1;  // with the slash: "/" is a folder too
            if (length >= sizeof folder) { return; }
            std::memcpy(folder, path, length);
            folder[length] = '\0';
        }
        folder_ = ::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (int tries = 0; folder_ >= 0 && tries < 250; ++tries) {
            if (::flock(folder_, LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR)) { return; }
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    }
    folder_lock(const folder_lock&) = delete;
    folder_lock& operator=(const folder_lock&) = delete;
    ~folder_lock() {
        if (folder_ < 0) { return; }
        ::flock(folder_, LOCK_UN);  // a child forked meanwhile has the descriptor too
        ::close(folder_);
    }

private:
    int folder_{-1};
};

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

result<socket_file> listen_at_unix_path(int descriptor, const std::string& path, int backlog) {
    const sockaddr_un address = to_address(path);
    const folder_lock lock(address.sun_path);  // until it listens: one that is bound only looks like a leftover
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
    if (::listen(descriptor, backlog) != 0) {
        const int error_number = errno;
        ::unlink(path.c_str());
        return failed(std::strerror(error_number));
    }
    return socket_file{path, made.st_dev, made.st_ino};
}

void remove_socket_file(const socket_file& bound) noexcept {
    if (bound.path.empty()) { return; }
    const folder_lock lock(bound.path.c_str());
    struct stat now {};
    if (::lstat(bound.path.c_str(), &now) != 0) { return; }
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
