// SPDX-License-Identifier: Apache-2.0
#include "serve/descriptors.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

constexpr int listen_backlog = 64;

// Never destroyed: a fork during exit must still find them.
struct fork_state {
    std::mutex mutex;
    std::vector<descriptor_guard*> guards;  // guarded by mutex
};

fork_state& state() {
    static fork_state& it = *new fork_state;
    return it;
}

struct watched {
    int descriptor{};
    unsigned long long inode{};
};

// Lines like "tfd:        5 events:       19 data: ffffffff00000005  pos:0 ino:5fed sdev:d" (proc(5)).
std::vector<watched> read_watched(const std::string& fdinfo) {
    std::vector<watched> out;
    std::ifstream in(fdinfo);
    for (std::string line; std::getline(in, line);) {
        watched w;
        const std::size_t inode = line.find("ino:");
        if (inode == std::string::npos || std::sscanf(line.c_str(), "tfd: %d", &w.descriptor) != 1) { continue; }
        w.inode = std::strtoull(line.c_str() + inode + 4, nullptr, 16);
        out.push_back(w);
    }
    return out;
}

bool is_epoll(const std::string& link) {
    char text[64] = {};
    const ssize_t length = ::readlink(link.c_str(), text, sizeof text);
    return length > 0 && std::string_view(text, static_cast<std::size_t>(length)) == "anon_inode:[eventpoll]";
}

// Empty when no epoll instance watches `descriptor`. The inode tells a number that was reused from the one we mean.
std::vector<int> event_loop_of(int descriptor) {
    struct stat info {};
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), &::closedir);
    if (directory == nullptr || ::fstat(descriptor, &info) != 0) { return {}; }
    while (const dirent* const entry = ::readdir(directory.get())) {
        const std::string number = entry->d_name;
        if (!is_epoll("/proc/self/fd/" + number)) { continue; }
        const std::vector<watched> targets = read_watched("/proc/self/fdinfo/" + number);
        const bool is_ours = std::any_of(targets.begin(), targets.end(), [&](const watched& w) {
            return w.descriptor == descriptor && w.inode == info.st_ino;
        });
        if (!is_ours) { continue; }
        std::vector<int> out{std::atoi(number.c_str())};
        for (const watched& w : targets) {
            if (w.descriptor != descriptor) { out.push_back(w.descriptor); }
        }
        return out;
    }
    return {};
}

error listen_error(const listen_address& where, int error_number) {
    const std::string address = where.to_string();
    if (error_number == EADDRINUSE) {
        return {error_code::io, "the port is already in use; choose another (port 0 takes any free one)", address};
    }
    return {error_code::io, std::string("cannot listen: ") + std::strerror(error_number), address};
}

int open_socket(const listen_address& where) {
    const int family = where.is_unix() ? AF_UNIX : where.is_v6 ? AF_INET6 : AF_INET;
    return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

// Tells the port that was taken for port 0.
bool bind_to_port(int descriptor, listen_address& where) {
    auto endpoint = boost::asio::ip::tcp::endpoint(boost::asio::ip::make_address(where.host), where.port);
    const int one = 1;
    if (::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        ::bind(descriptor, endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) {
        return false;
    }
    auto size = static_cast<socklen_t>(endpoint.capacity());
    if (::getsockname(descriptor, endpoint.data(), &size) != 0) { return false; }
    endpoint.resize(size);
    where.port = endpoint.port();
    return true;
}

result<void> check_privacy(const struct stat& info, const std::string& path) {
    if (!S_ISREG(info.st_mode)) { return fail(error_code::invalid_argument, "not a regular file", path); }
    if (info.st_uid != ::geteuid() && info.st_uid != 0) {
        return fail(error_code::invalid_argument, "the file belongs to another user", path);
    }
    if ((info.st_mode & 077U) != 0) {
        return fail(error_code::invalid_argument, "the file is open to others (chmod 600 it)", path);
    }
    return {};
}

// Closes on leaving, so that every early return does.
struct owned_descriptor {
    int value;

    explicit owned_descriptor(int descriptor) noexcept : value(descriptor) {}
    owned_descriptor(const owned_descriptor&) = delete;
    owned_descriptor& operator=(const owned_descriptor&) = delete;
    ~owned_descriptor() {
        if (value >= 0) { ::close(value); }
    }
    int release() noexcept { return std::exchange(value, -1); }
};

}  // namespace

struct fork_handlers {
    static void prepare() { state().mutex.lock(); }
    static void parent() { state().mutex.unlock(); }
    static void child() {
        for (descriptor_guard* const guard : state().guards) {
            for (const int descriptor : guard->descriptors_) { ::close(descriptor); }
            guard->descriptors_.clear();  // keeps its memory: no allocator call in the child
            guard->is_in_child_ = true;
        }
        state().guards.clear();
        state().mutex.unlock();
    }
};

descriptor_guard::descriptor_guard() {
    static const int registered = ::pthread_atfork(&fork_handlers::prepare, &fork_handlers::parent, &fork_handlers::child);
    static_cast<void>(registered);  // ENOMEM: children then inherit close-on-exec descriptors, nothing worse
    descriptors_.reserve(256);      // connections and a few more: accept() adds without allocating
    const std::lock_guard<std::mutex> lock(fork_mutex());
    state().guards.push_back(this);
}

descriptor_guard::~descriptor_guard() {
    const std::lock_guard<std::mutex> lock(fork_mutex());
    auto& guards = state().guards;
    guards.erase(std::remove(guards.begin(), guards.end(), this), guards.end());
}

std::mutex& descriptor_guard::fork_mutex() { return state().mutex; }

void descriptor_guard::forget_locked(int descriptor) noexcept {
    descriptors_.erase(std::remove(descriptors_.begin(), descriptors_.end(), descriptor), descriptors_.end());
}

result<descriptor_guard::listening_socket> descriptor_guard::open_listener(const listen_address& where) {
    const std::lock_guard<std::mutex> lock(fork_mutex());
    listening_socket out{-1, where, {}};
    owned_descriptor socket(open_socket(where));
    if (socket.value < 0) { return tl::unexpected(listen_error(where, errno)); }
    if (where.is_unix()) {
        result<socket_file> bound = listen_at_unix_path(socket.value, where.path, listen_backlog);
        if (!bound) { return tl::unexpected(bound.error()); }
        out.file = std::move(*bound);
    } else if (!bind_to_port(socket.value, out.where) || ::listen(socket.value, listen_backlog) != 0) {
        return tl::unexpected(listen_error(where, errno));
    }
    descriptors_.push_back(socket.value);
    out.descriptor = socket.release();
    return out;
}

int descriptor_guard::accept(int listener) {
    const std::lock_guard<std::mutex> lock(fork_mutex());
    const int descriptor = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor < 0) { return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS ? -2 : -1; }
    const int one = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // small answers: never wait to fill a packet
    descriptors_.push_back(descriptor);
    return descriptor;
}

int descriptor_guard::open_client(int family) {
    const std::lock_guard<std::mutex> lock(fork_mutex());
    const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor >= 0) { descriptors_.push_back(descriptor); }
    return descriptor;
}

void descriptor_guard::add_event_loop_of(int listener) {
    const std::vector<int> found = event_loop_of(listener);
    const std::lock_guard<std::mutex> lock(fork_mutex());
    descriptors_.insert(descriptors_.end(), found.begin(), found.end());
}

void close_descriptor(int descriptor) noexcept { ::close(descriptor); }

struct signals_blocked::mask {
    sigset_t set;
};

signals_blocked::signals_blocked() : before_(new mask) {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_->set);
}

signals_blocked::~signals_blocked() {
    ::pthread_sigmask(SIG_SETMASK, &before_->set, nullptr);
    delete before_;
}

void name_this_thread(const char* name) noexcept { ::pthread_setname_np(::pthread_self(), name); }

result<std::string> read_private_file(const std::string& path, std::size_t max_bytes) {
    const owned_descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat info {};
    if (file.value < 0 || ::fstat(file.value, &info) != 0) { return fail(error_code::io, std::strerror(errno), path); }
    if (auto checked = check_privacy(info, path); !checked) { return tl::unexpected(checked.error()); }
    std::string contents(max_bytes + 1, '\0');
    const ssize_t got = ::read(file.value, contents.data(), contents.size());
    if (got < 0) { return fail(error_code::io, std::strerror(errno), path); }
    contents.resize(static_cast<std::size_t>(got));
    if (contents.size() > max_bytes) { return fail(error_code::limit, "the file is too large", path); }
    return contents;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
