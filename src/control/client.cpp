// SPDX-License-Identifier: Apache-2.0
#include "control/client.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "control/endpoint.hpp"
#include "platform/own_thread.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace control {
namespace {

class descriptor {
public:
    explicit descriptor(int number) noexcept : number_(number) {}
    descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~descriptor() {
        if (number_ >= 0) { ::close(number_); }
    }
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_;
};

// One question's way through the errors: everything that goes wrong is about this process.
class conversation {
public:
    conversation(std::uint64_t pid, const client_limits& limits) : where_("pid " + std::to_string(pid)), limits_(limits) {}

    // A host that closed our socket has it bound anew as soon as somebody calls, but that call is reset: so once more. All that
    // can be asked may be asked twice.
    result<std::string> ask(const target& whom, const std::string& frame) {
        result<std::string> answer = ask_once(whom, frame);
        for (int i = 0; i < 2 && !answer && is_reset_; ++i) { answer = ask_once(whom, frame); }
        return answer;
    }

private:
    result<std::string> ask_once(const target& whom, const std::string& frame) {
        is_reset_ = false;
        result<descriptor> connected = connect(whom);
        if (!connected) { return tl::unexpected<error>(connected.error()); }
        due_ns_ = platform::monotonic_ns() + limits_.answer_ns;
        if (auto sent = send(connected->get(), frame); !sent) { return tl::unexpected<error>(sent.error()); }
        return receive(connected->get());
    }

    [[nodiscard]] tl::unexpected<error> refuse(const std::string& why) const {
        return fail(error_code::unreachable, why, where_);
    }

    result<descriptor> connect(const target& whom) {
        const std::uint64_t until = platform::monotonic_ns() + limits_.connect_ns;
        for (;;) {
            bool is_worth_waiting = false;
            for (const std::string& directory : whom.directories) {
                descriptor tried = try_connect(directory, whom.name, is_worth_waiting);
                if (tried.get() < 0) { continue; }
                if (auto checked = check_peer(tried.get(), whom); !checked) { return tl::unexpected<error>(checked.error()); }
                return tried;
            }
            if (!is_worth_waiting || platform::monotonic_ns() >= until) { break; }
            platform::sleep_ns(20'000'000);
        }
        return refuse(
            is_forbidden_ && ::geteuid() == 0 ? "where its control socket would be cannot be looked into, though this is root: "
                                                "a container or a security module "
                                                "forbids it"
            : is_forbidden_
                ? "it belongs to another user: ask as that user or as root"
                : "no control socket: it runs without memwatch, with MEMWATCH_DISABLED=1 or MEMWATCH_CONTROL=off, or, "
                  "preloaded, with one thread only ('memwatch run --control' makes one from the start)");
    }

    // Through the folder's descriptor: /proc/PID/root/... may be longer than the address of a socket.
    descriptor try_connect(const std::string& directory, const std::string& name, bool& is_worth_waiting) {
        const descriptor folder(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (folder.get() < 0) {
            is_forbidden_ = is_forbidden_ || errno == EACCES;
            return descriptor(-1);
        }
        struct stat info {};
        if (::fstatat(folder.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
            is_forbidden_ = is_forbidden_ || errno == EACCES;
            return descriptor(-1);
        }
        const std::string path = "/proc/self/fd/" + std::to_string(folder.get()) + "/" + name;
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
        descriptor made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) { return made; }
        is_forbidden_ = is_forbidden_ || errno == EACCES;
        is_worth_waiting = is_worth_waiting || errno == ECONNREFUSED || errno == EAGAIN;
        return descriptor(-1);
    }

    // Names in a folder prove nothing: whoever listens must be the process itself, and run as who that process runs as.
    result<void> check_peer(int socket, const target& whom) const {
        ucred peer{};
        socklen_t size = sizeof peer;
        const bool is_known = ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
        if (!is_known || static_cast<std::uint64_t>(peer.pid) != whom.pid || (peer.uid != whom.user && peer.uid != 0)) {
            return refuse("somebody else listens at its control socket");
        }
        return {};
    }

    result<void> wait_for(int socket, bool wants_write) const {
        const std::uint64_t now = platform::monotonic_ns();
        if (now >= due_ns_) { return refuse("no answer in time"); }
        platform::awaited_descriptor awaited[1] = {{socket, wants_write, false}};
        platform::wait_for(awaited, 1, due_ns_ - now);
        return {};
    }

    result<void> send(int socket, std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent > 0) {
                bytes.remove_prefix(static_cast<std::size_t>(sent));
                continue;
            }
            if (errno == EPIPE) { return {}; }  // it refused without listening; what it said is there to be read
            is_reset_ = errno == ECONNRESET;
            if (errno != EAGAIN && errno != EINTR) { return refuse(std::string("cannot ask: ") + std::strerror(errno)); }
            if (auto waited = wait_for(socket, true); !waited) { return waited; }
        }
        return {};
    }

    // Appends until `into` has `size` bytes.
    result<void> receive(int socket, std::string& into, std::uint64_t size) {
        char bytes[64U << 10U];
        while (into.size() < size) {
            const ssize_t got = ::recv(socket, bytes, std::min<std::uint64_t>(sizeof bytes, size - into.size()), 0);
            if (got > 0) {
                into.append(bytes, static_cast<std::size_t>(got));
                continue;
            }
            if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
                is_reset_ = into.empty();
                return refuse("it hung up before the answer was complete");
            }
            if (auto waited = wait_for(socket, false); !waited) { return waited; }
        }
        return {};
    }

    result<std::string> receive(int socket) {
        std::string bytes;
        if (auto got = receive(socket, bytes, answer_header_bytes); !got) { return tl::unexpected<error>(got.error()); }
        const result<answer_header> header = read_answer_header(bytes);
        if (!header) { return fail(error_code::unreachable, header.error().what, where_); }
        bytes.clear();
        if (auto got = receive(socket, bytes, header->body_bytes); !got) { return tl::unexpected<error>(got.error()); }
        if (!header->is_fine) { return fail(header->code, bytes, where_); }
        return bytes;
    }

    const std::string where_;
    const client_limits limits_;
    std::uint64_t due_ns_{};
    bool is_forbidden_{};
    bool is_reset_{};  // before the first byte of an answer
};

}  // namespace

result<std::string> ask(std::uint64_t pid, const request& what, const client_limits& limits) {
    const std::string line = to_line(what);
    if (const auto sane = parse_request(line); !sane) { return tl::unexpected<error>(sane.error()); }
    const result<target> whom = find_target(pid);
    if (!whom) { return tl::unexpected<error>(whom.error()); }
    return conversation(pid, limits).ask(*whom, frame_request(line));
}

}  // namespace control
}  // namespace v1
}  // namespace memwatch
