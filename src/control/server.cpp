// SPDX-License-Identifier: Apache-2.0
#include "control/server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "control/endpoint.hpp"

namespace memwatch {
inline namespace v1 {
namespace control {
namespace {

constexpr int listen_backlog = 8;
constexpr std::uint64_t request_time_ns = 2'000'000'000;
constexpr std::uint64_t stall_time_ns = 5'000'000'000;

bool is_again(int code) noexcept { return code == EAGAIN || code == EWOULDBLOCK || code == EINTR; }

// This user and root may ask. Root of a container that is not ours is another number here.
bool is_allowed(int client) noexcept {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == ::geteuid() || peer.uid == 0);
}

tl::unexpected<error> system_failure(const char* doing, const std::string& path) {
    return fail(error_code::io, std::string(doing) + ": " + std::strerror(errno), path);
}

// The name of a socket of ours that was lost, or of a process before us with our number and start time, which there is not.
result<void> clear_name(const sockaddr_un& address) {
    struct stat info {};
    if (::lstat(address.sun_path, &info) != 0) { return {}; }
    if (!S_ISSOCK(info.st_mode)) { return fail(error_code::unavailable, "not a socket", address.sun_path); }
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ucred peer{};
    socklen_t size = sizeof peer;
    const bool is_answered = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                             ::getsockopt(probe, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid != ::getpid();
    ::close(probe);
    if (is_answered) { return fail(error_code::unavailable, "another process answers there", address.sun_path); }
    ::unlink(address.sun_path);
    return {};
}

}  // namespace

result<void> server::open(const std::string& runtime_directory) {
    if (listener_.is_ours() && user_ == ::geteuid()) { return {}; }
    close();
    const result<std::string> directory = make_socket_directory(runtime_directory);
    if (!directory) { return tl::unexpected<error>(directory.error()); }
    return bind(*directory);
}

result<void> server::bind(const std::string& directory) {
    const auto pid = static_cast<std::uint64_t>(::getpid());
    const std::uint64_t start_time = start_time_of_self();
    if (start_time == 0) { return fail(error_code::unavailable, "no /proc here: nobody could find the control socket"); }
    const std::string path = directory + "/" + socket_name(pid, start_time);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(error_code::limit, "the path of the control socket would be longer than a socket's may be (107 bytes)",
                    path);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    if (auto cleared = clear_name(address); !cleared) { return cleared; }
    if (!listener_.adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))) {
        return system_failure("cannot make the control socket", path);
    }
    struct stat info {};
    if (::bind(listener_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::chmod(path.c_str(), 0600) != 0 || ::lstat(path.c_str(), &info) != 0 ||
        ::listen(listener_.number(), listen_backlog) != 0) {
        const auto failure = system_failure("cannot bind the control socket", path);
        listener_.close();
        return failure;
    }
    path_ = path;
    path_device_ = info.st_dev;
    path_inode_ = info.st_ino;
    user_ = ::geteuid();
    return {};
}

void server::close() noexcept {
    drop_client();
    listener_.close();
    if (path_.empty()) { return; }
    struct stat info {};
    if (::lstat(path_.c_str(), &info) == 0 && info.st_dev == path_device_ && info.st_ino == path_inode_) {
        ::unlink(path_.c_str());
    }
    path_.clear();
}

void server::enter_child() noexcept {
    listener_.close();
    client_.close();
    // A lost thread may have been inside the strings and the function: new ones, the old stay behind.
    new (&answer_) answer_function();
    for (std::string* const text : {&path_, &input_, &header_, &body_}) { new (text) std::string(); }
}

platform::awaited_descriptor server::awaited() const noexcept {
    platform::awaited_descriptor out;
    out.number = has_client() ? client_.number() : listener_.number();
    out.wants_write = has_client() && !header_.empty();
    return out;
}

void server::take_client(std::uint64_t now_ns) noexcept {
    if (has_client() || !listener_.is_ours()) { return; }
    const int accepted = ::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!client_.adopt(accepted)) { return; }
    due_ns_ = now_ns + request_time_ns;
}

void server::advance(std::uint64_t now_ns) noexcept {
    if (!has_client()) { return; }
    try {
        if (!client_.is_ours() || now_ns >= due_ns_) { return drop_client(); }
        if (header_.empty()) { read_some(now_ns); }
        if (!header_.empty()) { write_some(now_ns); }
    } catch (...) { drop_client(); }  // no memory for this answer; the next client may ask for less
}

void server::read_some(std::uint64_t now_ns) {
    if (!is_allowed(client_.number())) {
        return begin_answer(fail(error_code::invalid_argument, "this process answers its own user and root only"), now_ns);
    }
    char bytes[request_header_bytes + max_request_bytes + 1];
    const ssize_t got = ::recv(client_.number(), bytes, sizeof bytes - std::min(input_.size(), sizeof bytes), 0);
    if (got < 0 && is_again(errno)) { return; }
    if (got <= 0) { return drop_client(); }
    input_.append(bytes, static_cast<std::size_t>(got));
    if (input_.size() < request_header_bytes) { return; }
    const result<std::size_t> size = read_request_header(input_);
    if (!size) { return begin_answer(tl::unexpected<error>(size.error()), now_ns); }
    if (input_.size() < request_header_bytes + *size) { return; }
    answer_to(std::string_view(input_).substr(request_header_bytes, *size), now_ns);
}

void server::answer_to(std::string_view line, std::uint64_t now_ns) {
    const result<request> asked = parse_request(line);
    if (!asked) { return begin_answer(tl::unexpected<error>(asked.error()), now_ns); }
    if (!answer_) { return begin_answer(fail(error_code::unavailable, "nobody answers here"), now_ns); }
    result<std::string> answer = answer_(*asked);
    if (answer && answer->size() > max_answer_bytes) {
        answer = fail(error_code::limit, "the answer would have more than 256 MiB");
    }
    begin_answer(std::move(answer), now_ns);
}

void server::begin_answer(result<std::string> answer, std::uint64_t now_ns) {
    body_ = answer ? std::move(*answer) : refusal_text(answer.error());
    header_ = answer ? frame_answer_header(body_) : frame_answer_header(answer);
    sent_ = 0;
    due_ns_ = now_ns + stall_time_ns;
}

void server::write_some(std::uint64_t now_ns) {
    while (sent_ < header_.size() + body_.size()) {
        const std::string& part = sent_ < header_.size() ? header_ : body_;
        const std::uint64_t at = sent_ < header_.size() ? sent_ : sent_ - header_.size();
        const ssize_t sent = ::send(client_.number(), part.data() + at, part.size() - at, MSG_NOSIGNAL);
        if (sent < 0 && is_again(errno)) { return; }
        if (sent < 0) { break; }
        sent_ += static_cast<std::uint64_t>(sent);
        due_ns_ = now_ns + stall_time_ns;
    }
    drop_client();
}

void server::drop_client() noexcept {
    client_.close();
    for (std::string* const text : {&input_, &header_, &body_}) { std::string().swap(*text); }
}

}  // namespace control
}  // namespace v1
}  // namespace memwatch
