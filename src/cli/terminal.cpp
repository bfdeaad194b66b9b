// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>

#include <fmt/format.h>

#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {

exit_status status_of(const error& e) noexcept {
    switch (e.code) {
        case error_code::invalid_argument:
            return exit_status::usage;
        case error_code::unreachable:
        case error_code::unavailable:
            return exit_status::unreachable;
        default:
            return exit_status::unreadable;
    }
}

bool is_terminal_output() { return ::isatty(STDOUT_FILENO) == 1; }

std::size_t terminal_width() {
    winsize size{};
    return is_terminal_output() && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool wants_colour(colour_choice choice) {
    if (choice != colour_choice::automatic) { return choice == colour_choice::always; }
    const char* const no_color = std::getenv("NO_COLOR");
    const char* const term = std::getenv("TERM");
    const bool is_dumb = term == nullptr || std::string_view(term) == "dumb";
    return is_terminal_output() && !is_dumb && (no_color == nullptr || *no_color == '\0');
}

void print_error(const error& e) { fmt::print(stderr, "memwatch: {}\n", printable(e.message())); }

void print_warning(std::string_view text) {
    static std::set<std::string> said;  // two snapshots of one service miss the same files
    if (said.insert(std::string(text)).second) { fmt::print(stderr, "memwatch: warning: {}\n", printable(text)); }
}

result<void> print(std::string_view text) {
    const bool is_written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    if (!is_written) { return fail(error_code::io, "cannot write", "standard output"); }
    return {};
}

progress::progress(std::string what) : what_(printable(what)) {
    if (::isatty(STDERR_FILENO) == 1) {
        thread_ = std::thread([this] { show(); });
    }
}

progress::~progress() {
    if (!thread_.joinable()) { return; }
    {
        const std::lock_guard lock(mutex_);
        is_done_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void progress::say(std::string what) {
    if (!thread_.joinable()) { return; }
    const std::lock_guard lock(mutex_);
    what_ = printable(what);
}

void progress::show() {
    using namespace std::chrono_literals;
    const auto start = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, 1s, [this] { return is_done_; })) { return; }
    do {
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        fmt::print(stderr, "\r{} ... {:.0f} s\x1b[K", what_, taken.count());
        std::fflush(stderr);
    } while (!wake_.wait_for(lock, 1s, [this] { return is_done_; }));
    fmt::print(stderr, "\r\x1b[K");
}

}  // namespace v1
}  // namespace memwatch
