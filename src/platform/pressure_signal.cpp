// SPDX-License-Identifier: Apache-2.0
#include "platform/pressure_signal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

constexpr std::size_t most_message = 256;

int value_of(char c) noexcept {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t at = alphabet.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// How many bytes `text` stands for; 0: no base64, or too long.
std::size_t decode_base64(const char* text, char (&into)[most_message]) noexcept {
    std::size_t size = 0;
    unsigned bits = 0;
    int have = 0;
    for (; *text != '\0' && *text != '='; ++text) {
        const int value = value_of(*text);
        if (value < 0 || size == most_message) { return 0; }
        bits = (bits << 6U) | static_cast<unsigned>(value);
        have += 6;
        if (have < 8) { continue; }
        have -= 8;
        into[size++] = static_cast<char>((bits >> static_cast<unsigned>(have)) & 0xFFU);
    }
    return size;
}

int connect_to(const char* path) noexcept {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (std::strlen(path) >= sizeof address.sun_path) { return -1; }
    std::strcpy(address.sun_path, path);
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) { return -1; }
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) { return descriptor; }
    ::close(descriptor);
    return -1;
}

bool write_message(int descriptor, const char* message) noexcept {
    char bytes[most_message];
    const std::size_t size = decode_base64(message, bytes);
    return size > 0 && ::write(descriptor, bytes, size) == static_cast<ssize_t>(size);
}

}  // namespace

bool pressure_signal::watch_events(const char* path) noexcept {
    close();
    if (!descriptor_.adopt(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY))) { return false; }
    kind_ = kind::events;
    static_cast<void>(read_all());  // ready from the last read on
    return true;
}

bool pressure_signal::watch_manager(const char* path, const char* message) noexcept {
    close();
    struct stat about {};
    if (::stat(path, &about) != 0) { return false; }
    const bool is_socket = S_ISSOCK(about.st_mode);
    if (!is_socket && !S_ISREG(about.st_mode)) { return false; }  // /dev/null: the manager wants none of it
    const int mode = message != nullptr ? O_RDWR : O_RDONLY;
    const int opened = is_socket ? connect_to(path) : ::open(path, mode | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (!descriptor_.adopt(opened)) { return false; }
    if (message != nullptr && !write_message(descriptor_.number(), message)) {
        descriptor_.close();
        return false;
    }
    kind_ = is_socket ? kind::socket : kind::trigger;
    return true;
}

awaited_descriptor pressure_signal::awaited() const noexcept {
    awaited_descriptor out;
    if (kind_ == kind::none || !descriptor_.is_ours()) { return out; }
    out.number = descriptor_.number();
    out.wants_priority = kind_ != kind::socket;
    return out;
}

bool pressure_signal::read_all() const noexcept {
    char bytes[512];
    if (kind_ == kind::events) { return ::pread(descriptor_.number(), bytes, sizeof bytes, 0) >= 0; }
    if (kind_ == kind::trigger) { return true; }  // being asked for was enough
    for (;;) {
        const ssize_t got = ::recv(descriptor_.number(), bytes, sizeof bytes, MSG_DONTWAIT);
        if (got > 0 || (got < 0 && errno == EINTR)) { continue; }
        return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }
}

bool pressure_signal::take() noexcept {
    if (kind_ == kind::none) { return false; }
    if (!descriptor_.is_ours()) {
        close();
        return false;
    }
    const short wanted = kind_ == kind::socket ? POLLIN : POLLPRI;
    pollfd asked{descriptor_.number(), wanted, 0};
    if (::poll(&asked, 1, 0) <= 0) { return false; }
    const bool is_pressure = (asked.revents & wanted) != 0;
    if (!read_all() || !is_pressure) { close(); }  // an error alone: the group or the manager is gone
    return is_pressure;
}

void pressure_signal::close() noexcept {
    descriptor_.close();
    kind_ = kind::none;
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
