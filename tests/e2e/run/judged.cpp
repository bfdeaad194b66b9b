// SPDX-License-Identifier: Apache-2.0
// A program that knows nothing of memwatch, and what it loses itself. It runs for some seconds, in a shape and to an end of
// choice:
//   judged SECONDS leaking|healthy return|exit|threads|fork
// leaking    session_index::remember() keeps a note of every session and nobody takes one out; session_index's destructor would
// healthy    it takes out what is older than 100 sessions
// return     main returns; exit: exit() below main; threads: 16 threads do the work, and still do when main returns; fork: two
//            processes do
// Beside it: parse_line() frees all it takes, page_cache::fill() is full after a fifth of the time. What stays of the notes
// when main ends is said on stdout, by each process: "PID BYTES OBJECTS".

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace shop {

using clock = std::chrono::steady_clock;

constexpr std::size_t note_bytes = 600;
constexpr std::size_t most_notes = 1'000'000;

class session_index {
public:
    session_index() { notes_.reserve(most_notes); }  // so that the notes alone grow

    [[gnu::noinline]] void remember() {
        const std::scoped_lock lock(mutex_);
        if (is_closed_ || notes_.size() == most_notes) { return; }
        notes_.push_back(std::make_unique<char[]>(note_bytes));
        std::memset(notes_.back().get(), 'n', note_bytes);
        ++kept_;
        if (is_healthy_ && kept_ > 100) {
            notes_[notes_.size() - 101].reset();
            --kept_;
        }
    }

    void be_healthy() { is_healthy_ = true; }

    // And nothing more is kept: what a thread does from now on is not counted.
    std::size_t close() {
        const std::scoped_lock lock(mutex_);
        is_closed_ = true;
        return kept_;
    }

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<char[]>> notes_;
    std::size_t kept_{};
    bool is_healthy_{};
    bool is_closed_{};
};

class page_cache {
public:
    [[gnu::noinline]] void fill(double share) {
        const std::scoped_lock lock(mutex_);
        while (pages_.size() < 200 && static_cast<double>(pages_.size()) < 200 * share * 5) {
            pages_.push_back(std::make_unique<std::string>(4000, 'p'));
        }
    }

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<std::string>> pages_;
};

session_index sessions;
page_cache pages;
std::atomic<bool> is_over{false};

[[gnu::noinline]] std::size_t parse_line(std::size_t number) {
    const std::string line(100 + number % 400, 'x');
    return line.find('y');
}

void work(double seconds, std::size_t threads) {
    const auto start = clock::now();
    std::size_t sink = 0;
    for (std::size_t number = 0; !is_over.load(); ++number) {
        const double gone = std::chrono::duration<double>(clock::now() - start).count();
        if (gone >= seconds) { break; }
        for (std::size_t i = 0; i < 20; ++i) { sink += parse_line(number + i); }
        sessions.remember();
        pages.fill(gone / seconds);
        std::this_thread::sleep_for(std::chrono::milliseconds(4 * threads));
    }
    static volatile std::size_t kept_alive;
    kept_alive = sink;
}

void say() {
    const std::size_t notes = sessions.close();
    std::printf("%d %zu %zu\n", getpid(), notes * note_bytes, notes);
    std::fflush(stdout);
}

}  // namespace shop

int main(int argc, char** argv) {
    if (argc != 4) { return 2; }
    const double seconds = std::atof(argv[1]);
    const std::string end = argv[3];
    if (std::string(argv[2]) == "healthy") { shop::sessions.be_healthy(); }
    const pid_t child = end == "fork" ? fork() : -1;
    if (end == "threads") {
        for (int i = 0; i < 16; ++i) {
            std::thread([seconds] { shop::work(seconds + 5, 16); }).detach();
        }
        std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    } else {
        shop::work(seconds, 1);
    }
    if (child > 0) { waitpid(child, nullptr, 0); }
    shop::say();
    if (end == "exit") { std::exit(0); }
    shop::is_over = true;  // the other threads are asleep when the destructors run, or see this
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return 0;
}
