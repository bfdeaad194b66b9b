// SPDX-License-Identifier: Apache-2.0
#pragma once
// What may be assumed about the other end of stdout and stderr: colour, progress, messages.

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

enum class exit_status { fine = 0, found = 1, usage = 2, unreadable = 3, unreachable = 4 };

// unreachable -> 4, invalid_argument -> 2, everything else that went wrong with an input or output -> 3.
[[nodiscard]] exit_status status_of(const error& e) noexcept;

enum class colour_choice { automatic, always, never };

// automatic: a terminal on stdout, TERM isn't "dumb", and NO_COLOR is unset or empty (no-color.org).
[[nodiscard]] bool wants_colour(colour_choice choice);

[[nodiscard]] bool is_terminal_output();

// Columns of the terminal on stdout; 0: it is none, or does not say.
[[nodiscard]] std::size_t terminal_width();

// "memwatch: where: what" and "memwatch: warning: ..." on stderr, control characters neutralised; a warning is said once.
void print_error(const error& e);
void print_warning(std::string_view text);

// All of it to stdout. Errors: io (a closed pipe, a full disk).
[[nodiscard]] result<void> print(std::string_view text);

// While it lives and stderr is a terminal: after one second, what is being done and for how long, in one line that goes away.
class progress {
public:
    explicit progress(std::string what);
    ~progress();
    // What is being done now.
    void say(std::string what);
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

private:
    void show();

    std::mutex mutex_;
    std::string what_;  // printable; guarded by mutex_
    std::condition_variable wake_;
    bool is_done_{};  // guarded by mutex_
    std::thread thread_;
};

}  // namespace v1
}  // namespace memwatch
