// SPDX-License-Identifier: Apache-2.0
#include "platform/own_thread.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "platform/module_walk.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

struct start_block {
    void (*run)(void*);
    void* argument;
    const char* name;
    std::atomic<bool> is_read{false};
};

void* run_thread(void* started) {
    auto& block = *static_cast<start_block*>(started);
    void (*const run)(void*) = block.run;
    void* const argument = block.argument;
    pthread_setname_np(pthread_self(), block.name);
    note_own_thread();
    // release: pairs with the acquire in start(): the block may go away.
    block.is_read.store(true, std::memory_order_release);
    block.is_read.notify_one();
    run(argument);
    return nullptr;
}

// Descriptor tables are copied by fork() up to the highest number in use: so not at the end of a table of a million.
constexpr rlim_t highest_wanted = 1024;
constexpr int room_below_limit = 32;

int high_number() noexcept {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) { return room_below_limit; }
    const int top = static_cast<int>(std::min(limit.rlim_cur, highest_wanted));
    return std::max(top - room_below_limit, top / 2);
}

}  // namespace

bool own_thread::start(const char* name, std::size_t stack_bytes, void (*run)(void*), void* argument) noexcept {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) { return false; }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    start_block block{run, argument, name};
    pthread_t handle{};
    const bool is_sized = pthread_attr_setstacksize(&attributes, (stack_bytes + thread_local_bytes() + 0xFFF) & ~0xFFFULL) == 0;
    pthread_sigmask(SIG_SETMASK, &all, &before);  // inherited by the new thread
    const bool is_started = is_sized && pthread_create(&handle, &attributes, &run_thread, &block) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (!is_started) { return false; }
    // acquire: pairs with the release in run_thread().
    block.is_read.wait(false, std::memory_order_acquire);
    handle_ = handle;
    is_joinable_ = true;
    return true;
}

bool own_thread::join(std::uint64_t timeout_ns) noexcept {
    if (!is_joinable_) { return true; }
    is_joinable_ = false;
    timespec until{};
    clock_gettime(CLOCK_REALTIME, &until);
    const std::uint64_t nanoseconds = static_cast<std::uint64_t>(until.tv_nsec) + timeout_ns;
    until.tv_sec += static_cast<time_t>(nanoseconds / 1'000'000'000);
    until.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
    if (pthread_timedjoin_np(handle_, nullptr, &until) == 0) { return true; }
    pthread_detach(handle_);
    return false;
}

bool own_descriptor::adopt(int descriptor) noexcept {
    close();
    if (descriptor < 0) { return false; }
    const int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, high_number());
    if (moved >= 0) {
        ::close(descriptor);
        descriptor = moved;
    }
    struct stat info {};
    if (fstat(descriptor, &info) != 0) {
        ::close(descriptor);
        return false;
    }
    device_ = info.st_dev;
    inode_ = info.st_ino;
    number_.store(descriptor, std::memory_order_relaxed);  // relaxed: see number()
    return true;
}

bool own_descriptor::is_ours() const noexcept {
    struct stat info {};
    return number() >= 0 && fstat(number(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
}

void own_descriptor::close() noexcept {
    if (is_ours()) { ::close(number()); }
    number_.store(-1, std::memory_order_relaxed);  // relaxed: see number()
}

bool wake_signal::open() noexcept {
    if (is_ours()) { return true; }
    close();
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) { return false; }
    const bool has_reader = reader_.adopt(ends[0]);
    const bool has_writer = writer_.adopt(ends[1]);
    if (!has_reader || !has_writer) { close(); }
    return has_reader && has_writer;
}

void wake_signal::close() noexcept {
    writer_.close();
    reader_.close();
}

void wake_signal::drain() const noexcept {
    char nothing[1];
    while (recv(reader_.number(), nothing, sizeof nothing, MSG_DONTWAIT) >= 0) {}
}

void wake_signal::send() const noexcept {
    const int saved_errno = errno;
    [[maybe_unused]] const ssize_t sent = write(writer_.number(), "", 0);  // EAGAIN: it is readable already
    errno = saved_errno;
}

void sleep_ns(std::uint64_t duration_ns) noexcept {
    const timespec wanted{static_cast<time_t>(duration_ns / 1'000'000'000), static_cast<long>(duration_ns % 1'000'000'000)};
    nanosleep(&wanted, nullptr);
}

void wait_for(awaited_descriptor* list, std::size_t count, std::uint64_t timeout_ns) noexcept {
    constexpr std::size_t most = 8;
    constexpr std::uint64_t longest_ns = 3'600'000'000'000;
    pollfd polled[most];
    count = std::min(count, most);
    for (std::size_t i = 0; i < count; ++i) {
        const short wanted = list[i].wants_write ? POLLOUT : list[i].wants_priority ? POLLPRI : POLLIN;
        polled[i] = {list[i].number, wanted, 0};
        list[i].is_ready = false;
    }
    timeout_ns = std::min(timeout_ns, longest_ns);  // "never" is an hour: nobody can tell, and nothing overflows
    const timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000), static_cast<long>(timeout_ns % 1'000'000'000)};
    if (ppoll(polled, count, &timeout, nullptr) <= 0) { return; }
    for (std::size_t i = 0; i < count; ++i) { list[i].is_ready = polled[i].revents != 0; }
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
