// SPDX-License-Identifier: Apache-2.0
#pragma once
// What every program of the zoo has in common: a run of some seconds at a steady pace, seeded randomness, threads, and the
// truth.
//
//     ZOO_FUNCTION session* open_session(zoo::truth& forgotten) {...; forgotten.lost(sizeof(session)); ...}
//
//     int main(int argc, char** argv) {
//         zoo::scenario zoo(argc, argv);
//         zoo::truth& forgotten = zoo.leaks("open_session", "rare_path");
//         zoo.is_clean("read_request", "churn");
//         while (zoo.tick()) { ... }             // 1,000 beats a second unless another period is given
//         return zoo.end();
//     }
//
// The truth is counted by the program while it runs and written as JSON at its end (--truth FILE), for tests/leakzoo/scorer.py.
// It is about functions: the innermost function of the program itself that allocates, with its namespace and class, without
// parameters. Allocate in free or member functions marked ZOO_FUNCTION rather than in lambdas, so that they have a name and a
// frame.
//
// What is to be judged must still be there when main returns: keep it in statics or leak it, not in main's locals. Nothing here
// allocates between the start and end(), so that the bookkeeping is no site of its own; on_threads() holds one block a thread.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <type_traits>
#include <vector>

/// A function that keeps its frame and its name.
#define ZOO_FUNCTION __attribute__((noinline))

namespace zoo {

using clock = std::chrono::steady_clock;

/// Makes the compiler believe that somebody reads the block.
inline void use(const volatile void* block) { __asm__ volatile("" : : "r"(block) : "memory"); }

/// Touches every byte, as a program that uses its memory does.
inline void fill(void* block, std::size_t bytes, char value = 'z') {
    std::memset(block, value, bytes);
    use(block);
}

/// Seeded and small (splitmix64): the same seed is the same program. A seed is mixed before it becomes a state: states that are
/// one step apart, as those of neighbouring seeds would be, give the same numbers one draw later.
class rng {
public:
    explicit rng(std::uint64_t seed) : state_(mixed(seed + 0x632be59bd9b4e019U)) {}

    std::uint64_t next() { return mixed(state_ += 0x9e3779b97f4a7c15U); }
    /// In [0, 1).
    double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
    /// In [0, n); n > 0.
    std::uint64_t below(std::uint64_t n) { return next() % n; }
    /// Integers: in [low, high], both included; floating point: in [low, high).
    template <class Low, class High>
    auto between(Low low, High high) {
        using number = std::common_type_t<Low, High>;
        if constexpr (std::is_floating_point_v<number>) {
            return static_cast<number>(low) +
                   (static_cast<number>(high) - static_cast<number>(low)) * static_cast<number>(unit());
        } else {
            return static_cast<number>(static_cast<std::uint64_t>(low) + below(static_cast<std::uint64_t>(high - low) + 1));
        }
    }
    bool chance(double probability) { return unit() < probability; }
    double exponential(double mean) { return -mean * std::log(1.0 - unit()); }
    /// Heavy-tailed, at least `least`; the mean is finite for alpha > 1.
    double pareto(double least, double alpha) { return least / std::pow(1.0 - unit(), 1.0 / alpha); }
    /// A rank in [0, n) that is popular as 1 / (rank + 1).
    std::uint64_t zipf(std::uint64_t n) {
        return std::min(n - 1, static_cast<std::uint64_t>(std::pow(static_cast<double>(n + 1), unit())) - 1);
    }

private:
    static std::uint64_t mixed(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }

    std::uint64_t state_;
};

/// One thread of a program: its pace and its own randomness.
class worker {
public:
    worker(std::uint64_t seed, int index, clock::time_point start, clock::time_point stop)
        : random_(seed * 1009 + static_cast<std::uint64_t>(index)),
          index_(index),
          start_(start),
          stop_(stop),
          beat_(clock::now()) {}

    /// Sleeps until the next beat; false when the run is over. A late thread catches up, but for no more than 100 ms.
    bool tick(std::chrono::microseconds period = std::chrono::milliseconds(1)) {
        const clock::time_point now = clock::now();
        beat_ = std::max(beat_ + period, now - std::chrono::milliseconds(100));
        if (beat_ > now) { std::this_thread::sleep_until(std::min(beat_, stop_)); }
        return is_running();
    }
    bool is_running() const { return clock::now() < stop_; }
    double elapsed_s() const { return std::chrono::duration<double>(clock::now() - start_).count(); }
    double seconds() const { return std::chrono::duration<double>(stop_ - start_).count(); }
    /// How much of the run is over, 0 to 1.
    double progress() const { return std::min(1.0, elapsed_s() / seconds()); }
    /// Of this thread alone.
    rng& random() { return random_; }
    /// 0 is main's thread.
    int index() const { return index_; }

protected:
    rng random_;
    int index_;
    clock::time_point start_;
    clock::time_point stop_;
    clock::time_point beat_;
};

/// What is true of one function. Any thread may count.
class truth {
public:
    /// A block, or several of that many bytes together, was lost just now. `objects` 0: a block that was lost before got
    /// larger.
    void lost(std::uint64_t bytes, std::uint64_t objects = 1) {
        bytes_.fetch_add(bytes, std::memory_order_relaxed);
        const std::uint64_t before = objects_.fetch_add(objects, std::memory_order_relaxed);
        if (before == 0) { note(first_ns_); }
        if (before < enough && before + objects >= enough) { note(exact_bound_ns_); }
        count_samples(bytes, objects);
    }
    /// Lost blocks were found again (a leak that is not perfect).
    void found(std::uint64_t bytes, std::uint64_t objects = 1) {
        bytes_.fetch_sub(bytes, std::memory_order_relaxed);
        objects_.fetch_sub(objects, std::memory_order_relaxed);
    }
    /// Another function of the program that may be named instead: a constructor that allocates on behalf of this one.
    truth& also(const char* function) {
        if (others_ < other_functions_.size()) { other_functions_[others_++] = function; }
        return *this;
    }

private:
    friend class scenario;
    static constexpr std::uint64_t enough = 25;  // of objects or samples: below, no statistics can tell (the information bound)

    void note(std::atomic<std::int64_t>& when) const { when.store((clock::now() - start_).count(), std::memory_order_relaxed); }
    /// Expected samples, in millionths: a block of b bytes is sampled with 1 - exp(-b / R).
    /// A block that grows is one sample still.
    void count_samples(std::uint64_t bytes, std::uint64_t objects) {
        if (interval_bytes_ == 0 || objects == 0) { return; }
        const double each = static_cast<double>(bytes) / static_cast<double>(objects);
        const double share = -std::expm1(-each / static_cast<double>(interval_bytes_));
        const auto millionths = static_cast<std::uint64_t>(static_cast<double>(objects) * share * 1e6);
        const std::uint64_t before = samples_.fetch_add(millionths, std::memory_order_relaxed);
        if (before < enough * 1'000'000 && before + millionths >= enough * 1'000'000) { note(sampled_bound_ns_); }
    }
    void write(std::FILE* file) const {
        std::fprintf(file, "{\"function\":\"%s\",\"also\":[", function_);
        for (std::size_t i = 0; i < others_; ++i) { std::fprintf(file, "%s\"%s\"", i == 0 ? "" : ",", other_functions_[i]); }
        std::fprintf(file, "],\"class\":\"%s\",\"kind\":\"%s\",\"bytes\":%llu,\"objects\":%llu,\"expected_samples\":%.2f",
                     class_, kind_, static_cast<unsigned long long>(bytes_.load(std::memory_order_relaxed)),
                     static_cast<unsigned long long>(objects_.load(std::memory_order_relaxed)),
                     static_cast<double>(samples_.load(std::memory_order_relaxed)) / 1e6);
        write_time(file, "first_leak_s", first_ns_);
        write_time(file, "information_bound_s", exact_bound_ns_);
        write_time(file, "sampled_bound_s", sampled_bound_ns_);
        std::fputs("}", file);
    }
    static void write_time(std::FILE* file, const char* name, const std::atomic<std::int64_t>& when) {
        const std::int64_t ns = when.load(std::memory_order_relaxed);
        if (ns < 0) {
            std::fprintf(file, ",\"%s\":null", name);
        } else {
            std::fprintf(file, ",\"%s\":%.3f", name, static_cast<double>(ns) / 1e9);
        }
    }

    const char* function_ = "";
    const char* class_ = "clean";
    const char* kind_ = "";
    std::array<const char*, 4> other_functions_{};
    std::size_t others_ = 0;
    clock::time_point start_{};
    std::uint64_t interval_bytes_ = 0;
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> objects_{0};
    std::atomic<std::uint64_t> samples_{0};
    std::atomic<std::int64_t> first_ns_{-1};
    std::atomic<std::int64_t> exact_bound_ns_{-1};
    std::atomic<std::int64_t> sampled_bound_ns_{-1};
};

/// A run: --seconds S --seed N --threads T --interval BYTES (of the sampler, for the information bound; 0: exact) --truth FILE.
class scenario : public worker {
public:
    scenario(int argc, char** argv) : scenario(arguments(argc, argv)) {}
    scenario(const scenario&) = delete;
    scenario& operator=(const scenario&) = delete;

    int threads() const { return wanted_.threads; }
    std::uint64_t seed() const { return wanted_.seed; }

    /// Memory that grows for as long as the program runs and is never used again or never released.
    truth& leaks(const char* function, const char* kind) { return add(function, "leak", kind); }
    /// Memory that is released, or whose bound shows within the run.
    truth& is_clean(const char* function, const char* kind) { return add(function, "clean", kind); }
    /// Nobody could tell within the run: reported and not counted.
    truth& is_undecidable(const char* function, const char* kind) { return add(function, "undecidable", kind); }

    /// body(worker&) on each of threads() threads, this one included; returns when all are through.
    template <class Body>
    void on_threads(Body body) {
        std::vector<std::thread> others;
        others.reserve(static_cast<std::size_t>(threads()));
        for (int index = 1; index < threads(); ++index) {
            others.emplace_back([this, index, &body] {
                worker self(wanted_.seed, index, start_, stop_);
                body(self);
            });
        }
        body(static_cast<worker&>(*this));
        for (std::thread& other : others) { other.join(); }
    }

    /// Writes the truth; main's result.
    int end() {
        if (wanted_.truth_file == nullptr) { return 0; }
        std::FILE* file = std::fopen(wanted_.truth_file, "we");
        if (file == nullptr) {
            std::perror(wanted_.truth_file);
            return 2;
        }
        std::fprintf(
            file,
            "{\"seed\":%llu,\"seconds\":%.3f,\"ran_s\":%.3f,\"threads\":%d,\"interval_bytes\":%llu,\"start_unix_ns\":%lld,"
            "\"truth\":[",
            static_cast<unsigned long long>(wanted_.seed), wanted_.seconds, elapsed_s(), wanted_.threads,
            static_cast<unsigned long long>(wanted_.interval_bytes), static_cast<long long>(start_unix_ns_));
        for (std::size_t i = 0; i < known_; ++i) {
            std::fputs(i == 0 ? "\n" : ",\n", file);
            truths_[i].write(file);
        }
        std::fputs("]}\n", file);
        return std::fclose(file) == 0 ? 0 : 2;
    }

private:
    struct options {
        double seconds = 20;
        std::uint64_t seed = 1;
        int threads = 1;
        std::uint64_t interval_bytes = 0;
        const char* truth_file = nullptr;
    };

    explicit scenario(const options& wanted) : scenario(wanted, clock::now()) {}
    scenario(const options& wanted, clock::time_point start)
        : worker(wanted.seed, 0, start,
                 start + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(wanted.seconds))),
          wanted_(wanted),
          start_unix_ns_(
              std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
                  .count()) {}

    static options arguments(int argc, char** argv) {
        options wanted;
        for (int i = 1; i + 1 < argc; i += 2) {
            const char* value = argv[i + 1];
            if (std::strcmp(argv[i], "--seconds") == 0) { wanted.seconds = std::strtod(value, nullptr); }
            if (std::strcmp(argv[i], "--seed") == 0) { wanted.seed = std::strtoull(value, nullptr, 10); }
            if (std::strcmp(argv[i], "--threads") == 0) { wanted.threads = std::max(1, std::atoi(value)); }
            if (std::strcmp(argv[i], "--interval") == 0) { wanted.interval_bytes = std::strtoull(value, nullptr, 10); }
            if (std::strcmp(argv[i], "--truth") == 0) { wanted.truth_file = value; }
        }
        return wanted;
    }

    truth& add(const char* function, const char* its_class, const char* kind) {
        if (known_ == truths_.size()) { std::abort(); }  // a program says more than it has room for
        truth& added = truths_[known_++];
        added.function_ = function;
        added.class_ = its_class;
        added.kind_ = kind;
        added.start_ = start_;
        added.interval_bytes_ = wanted_.interval_bytes;
        return added;
    }

    options wanted_;
    std::int64_t start_unix_ns_;
    std::array<truth, 32> truths_;
    std::size_t known_ = 0;
};

}  // namespace zoo
