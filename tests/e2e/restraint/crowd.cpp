// SPDX-License-Identifier: Apache-2.0
// A program of very many threads that knows nothing of memwatch. Each thread works for a while on blocks of its own, hands one
// over to a cache that forgets the oldest, and ends; a registry of sessions forgets nobody, which is the leak.
//
//   crowd THREADS AT_ONCE SECONDS LEAKED_BYTES
//
// Prints "peak N at once" when AT_ONCE threads stand side by side, holding a block each, and waits for a line on stdin (or its
// end) before it lets them go: whoever watches looks then.
#include <pthread.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace {

constexpr std::size_t block_bytes = 16'000;

// Of every size the threads use.
struct recent_answers {
    std::mutex mutex;
    std::deque<std::unique_ptr<char[]>> kept;

    [[gnu::noinline]] void add(std::size_t bytes) {
        auto fresh = std::make_unique<char[]>(bytes);
        const std::lock_guard guard(mutex);
        kept.push_back(std::move(fresh));
        if (kept.size() > 200) { kept.pop_front(); }
    }
};

// Nobody logs out. They come at a steady rate.
struct all_sessions {
    std::mutex mutex;
    std::deque<char*> kept;
    double a_second{};
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

    [[nodiscard]] double passed() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    }
    [[nodiscard]] bool is_one_due() {
        const std::lock_guard guard(mutex);
        return static_cast<double>(kept.size()) < a_second * passed();
    }
    [[gnu::noinline]] void log_in() {
        auto* const session = static_cast<char*>(std::malloc(block_bytes));
        if (session == nullptr) { std::abort(); }
        std::memset(session, 1, block_bytes);
        const std::lock_guard guard(mutex);
        kept.push_back(session);
    }
};

recent_answers answers;
all_sessions sessions;

[[gnu::noinline]] std::size_t work(unsigned seed) {
    std::vector<char> scratch(500 + seed % 4000, 'x');
    std::size_t sum = 0;
    for (const char c : scratch) { sum += static_cast<unsigned char>(c); }
    return sum;
}

struct round_of_threads {
    explicit round_of_threads(int count) : all_there(count + 1), may_go(count + 1) {}
    std::barrier<> all_there;
    std::barrier<> may_go;
    std::atomic<unsigned> sum{0};
};

void* live(void* argument) {
    auto& round = *static_cast<round_of_threads*>(argument);
    const auto seed = static_cast<unsigned>(pthread_self() >> 12U);
    unsigned sum = 0;
    for (unsigned i = 0; i < 8; ++i) { sum += static_cast<unsigned>(work(seed + i)); }
    const auto held = std::make_unique<char[]>(100 + seed % 400);
    answers.add(500 + seed % 3000);
    if (sessions.is_one_due()) { sessions.log_in(); }
    round.sum += sum + static_cast<unsigned>(held[0]);
    round.all_there.arrive_and_wait();
    round.may_go.arrive_and_wait();
    return nullptr;
}

void run_round(int count, bool is_watched) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    std::vector<pthread_t> threads(static_cast<std::size_t>(count));
    round_of_threads round(count);
    for (pthread_t& each : threads) {
        if (pthread_create(&each, &attributes, &live, &round) != 0) {
            std::perror("pthread_create");
            std::_Exit(3);
        }
    }
    round.all_there.arrive_and_wait();
    if (is_watched) {
        std::printf("peak %d at once\n", count);
        std::fflush(stdout);
        std::getchar();
    }
    round.may_go.arrive_and_wait();
    for (const pthread_t each : threads) { pthread_join(each, nullptr); }
    pthread_attr_destroy(&attributes);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) { return 2; }
    const int threads = std::atoi(argv[1]);
    const int at_once = std::atoi(argv[2]);
    const double seconds = std::atof(argv[3]);
    const int rounds = threads / at_once;
    sessions.a_second = std::atof(argv[4]) / block_bytes / seconds;
    for (int round = 0; round < rounds; ++round) {
        while (sessions.passed() < seconds * (round + 1) / rounds) {
            const timespec pause{0, 2'000'000};
            nanosleep(&pause, nullptr);
            answers.add(1000);
            while (sessions.is_one_due()) { sessions.log_in(); }
        }
        run_round(at_once, round == rounds - 1);
    }
    std::printf("%d threads, %zu sessions\n", rounds * at_once, sessions.kept.size());
    return 0;
}
