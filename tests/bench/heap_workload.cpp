// SPDX-License-Identifier: Apache-2.0
// Heap work to measure interposers with: heap_bench.py starts it under each of them in turn. Linked to nothing of memwatch.
//
//   heap_workload WORKLOAD [MILLISECONDS] [THREADS]     prints the median ns of an allocate+free pair over rounds of about 1 ms
//   heap_workload count WORKLOAD PAIRS                  so many pairs, for instruction counts
//
// All workloads run below 20 frames of recursion, the depth at which stacks are compared.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

namespace {

template <class Pointer>
[[gnu::always_inline]] inline Pointer opaque(Pointer p) {
    asm volatile("" : "+r"(p) : : "memory");
    return p;
}

class xorshift {
public:
    explicit xorshift(std::uint64_t seed) : state_(seed * 0x9E37'79B9'7F4A'7C15ULL + 1) {}
    std::uint64_t operator()() {
        state_ ^= state_ >> 12U;
        state_ ^= state_ << 25U;
        state_ ^= state_ >> 27U;
        return state_ * 0x2545'F491'4F6C'DD1DULL;
    }

private:
    std::uint64_t state_;
};

// One kind of work; run(pairs) does at least so many allocate+free pairs and says how many.
struct work {
    virtual ~work() = default;
    virtual std::size_t run(std::size_t pairs) = 0;
};

struct tight_pair : work {
    std::size_t run(std::size_t pairs) override {
        for (std::size_t i = 0; i < pairs; ++i) { free(opaque(malloc(64))); }
        return pairs;
    }
};

struct batch : work {
    static constexpr std::size_t count = 1000;
    void* blocks[count];
    std::vector<std::size_t> order;
    batch() {
        xorshift random(7);
        for (std::size_t i = 0; i < count; ++i) { order.push_back(i); }
        for (std::size_t i = count - 1; i > 0; --i) { std::swap(order[i], order[random() % (i + 1)]); }
    }
    std::size_t run(std::size_t pairs) override {
        std::size_t done = 0;
        for (; done < pairs; done += count) {
            for (void*& b : blocks) { b = malloc(64); }
            for (const std::size_t i : order) { free(blocks[i]); }
        }
        return done;
    }
};

// Blocks of 10 to 500 bytes, replaced at random among 100,000.
struct larson : work {
    std::vector<void*> blocks = std::vector<void*>(100'000, nullptr);
    xorshift random{11};
    ~larson() override {
        for (void* const b : blocks) { free(b); }
    }
    std::size_t run(std::size_t pairs) override {
        for (std::size_t i = 0; i < pairs; ++i) {
            const std::uint64_t r = random();
            void*& slot = blocks[(r >> 32U) % blocks.size()];
            free(slot);
            slot = opaque(malloc(10 + r % 491));
        }
        return pairs;
    }
};

// 4,096 different stacks: 12 frames whose call sites are chosen by the bits of a number.
struct many_stacks : work {
    std::size_t next = 0;
    [[gnu::noinline]] static void descend(unsigned path, int left) {
        if (left == 0) { return free(opaque(malloc(64))); }
        if ((path & 1U) != 0) {
            descend(path >> 1U, left - 1);
        } else {
            descend(path >> 1U, left - 1);
            asm volatile("");
        }
        asm volatile("");
    }
    std::size_t run(std::size_t pairs) override {
        for (std::size_t i = 0; i < pairs; ++i) { descend(static_cast<unsigned>(next++ * 2654435761U) >> 20U, 12); }
        return pairs;
    }
};

work* make(std::string_view name) {
    if (name == "pair") { return new tight_pair; }
    if (name == "batch") { return new batch; }
    if (name == "larson") { return new larson; }
    if (name == "stacks") { return new many_stacks; }
    return nullptr;
}

// Twenty frames.
template <class Action>
[[gnu::noinline]] void below(int frames, Action& action) {
    if (frames == 0) {
        action();
    } else {
        below(frames - 1, action);
    }
    asm volatile("");  // no tail call
}

double median_ns(work& w, double milliseconds) {
    using clock = std::chrono::steady_clock;
    std::vector<double> rounds;
    const auto measure = [&] {
        const std::size_t first = w.run(std::size_t{200'000});  // warm up; larson fills its slots
        static_cast<void>(first);
        const auto end =
            clock::now() + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double, std::milli>(milliseconds));
        while (clock::now() < end || rounds.size() < 10) {
            const auto start = clock::now();
            const std::size_t pairs = w.run(10'000);
            const std::chrono::duration<double, std::nano> elapsed = clock::now() - start;
            rounds.push_back(elapsed.count() / static_cast<double>(pairs));
        }
    };
    below(16, measure);
    std::nth_element(rounds.begin(), rounds.begin() + static_cast<std::ptrdiff_t>(rounds.size() / 2), rounds.end());
    return rounds[rounds.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    const bool is_counting = argc > 3 && std::string_view(argv[1]) == "count";
    const char* const name = is_counting ? argv[2] : argc > 1 ? argv[1] : "";
    work* const first = make(name);
    if (first == nullptr) {
        std::fprintf(stderr, "usage: %s pair|batch|larson|stacks [MILLISECONDS] [THREADS]\n", argv[0]);
        return 2;
    }
    if (is_counting) {
        auto action = [&] { first->run(std::strtoull(argv[3], nullptr, 10)); };
        below(16, action);
        return 0;
    }
    const double milliseconds = argc > 2 ? std::atof(argv[2]) : 200;
    const int threads = argc > 3 ? std::atoi(argv[3]) : 1;
    std::vector<double> medians(static_cast<std::size_t>(threads));
    std::vector<std::thread> others;
    for (std::size_t t = 1; t < medians.size(); ++t) {
        others.emplace_back([&, t] { medians[t] = median_ns(*make(name), milliseconds); });
    }
    medians[0] = median_ns(*first, milliseconds);
    for (std::thread& t : others) { t.join(); }
    double sum = 0;
    for (const double m : medians) { sum += m; }
    std::printf("%.3f\n", sum / threads);
    delete first;
}
