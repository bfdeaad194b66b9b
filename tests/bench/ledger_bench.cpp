// SPDX-License-Identifier: Apache-2.0
// What full mode adds to an allocation: the ledger alone, called as the malloc door calls it.
//
//   ledger_bench                 a birth and its death at depth 20, alone, in batches of 1,000, and at random among 100,000
//   live
//                                blocks, on 1, 2 and 4 threads; what a live block costs; freeze and dump of 1 M live blocks
//   ledger_bench pairs N | churn N      only that many, for callgrind
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string_view>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/snapshot/codec.hpp>
#include "bench/interleaved.hpp"
#include "capture/exact_sink.hpp"

namespace {

using memwatch::exact_birth;
using memwatch::exact_death;

struct held {
    std::uint32_t index{};
    void* block{};
};

// As a door does: the stack pointer at its entry, the frame pointer there.
[[gnu::noinline]] std::uint32_t born(const void* block, std::size_t bytes) {
    auto* const frame = static_cast<std::uint64_t*>(__builtin_frame_address(0));
    const std::uint32_t index = exact_birth(block, bytes, frame + 1, frame[0]);
    asm volatile("" ::: "memory");  // no tail call
    return index;
}

void* address_of(std::size_t i) { return reinterpret_cast<void*>(0x1000'0000 + i * 64); }

template <class Work>
[[gnu::noinline]] void at_depth(int depth, const Work& work) {
    if (depth > 0) {
        at_depth(depth - 1, work);
        asm volatile("" ::: "memory");  // no tail call
        return;
    }
    work();
    asm volatile("" ::: "memory");
}

void pairs(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t index = born(address_of(1), 64);
        exact_death(index, address_of(1));
    }
}

void batch(std::size_t count) {
    static thread_local std::uint32_t indices[1000];
    for (std::size_t done = 0; done < count; done += 1000) {
        for (std::size_t i = 0; i < 1000; ++i) { indices[i] = born(address_of(i), 64); }
        for (std::size_t i = 0; i < 1000; ++i) { exact_death(indices[i], address_of(i)); }
    }
}

class churn {
public:
    explicit churn(std::size_t live) : indices_(live) {
        at_depth(20, [&] {
            for (std::size_t i = 0; i < live; ++i) { indices_[i] = born(address_of(i), 64); }
        });
    }
    ~churn() {
        for (std::size_t i = 0; i < indices_.size(); ++i) { exact_death(indices_[i], address_of(i)); }
    }
    churn(const churn&) = delete;
    churn& operator=(const churn&) = delete;
    void run(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t at = random_() % indices_.size();
            exact_death(indices_[at], address_of(at));
            indices_[at] = born(address_of(at), 64);
        }
    }

private:
    std::vector<std::uint32_t> indices_;
    std::minstd_rand random_;
};

template <class Work>
void print(const char* name, std::size_t operations, int threads, const Work& work) {
    std::vector<std::thread> others;
    std::atomic<bool> is_over{false};
    for (int t = 1; t < threads; ++t) {
        others.emplace_back([&] {
            // relaxed: a flag; the join orders the rest.
            while (!is_over.load(std::memory_order_relaxed)) {
                at_depth(20, [] { batch(10'000); });
            }
        });
    }
    std::vector<double> rounds;
    for (int i = 0; i < 100; ++i) {
        rounds.push_back(bench::nanoseconds_per(operations, [&](std::size_t n) { at_depth(20, [&] { work(n); }); }));
    }
    is_over.store(true, std::memory_order_relaxed);  // relaxed: as above
    for (std::thread& each : others) { each.join(); }
    const bench::summary s = bench::summarize(rounds);
    std::printf("%-44s %d thread%s  %6.1f ns a pair [%.1f .. %.1f]\n", name, threads, threads == 1 ? " " : "s", s.median, s.low,
                s.high);
}

std::uint64_t self_bytes(const memwatch::snapshot& s) {
    std::uint64_t sum = 0;
    for (const memwatch::named_value& each : s.self_bytes) {
        if (each.name == "ledger_records") { sum += each.value; }
    }
    return sum;
}

double seconds_of(const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void print_freeze(const memwatch::session& session, std::size_t live) {
    const churn blocks(live);
    std::size_t records = 0;
    std::size_t dumped = 0;
    std::uint64_t self = 0;
    double encode_s = 0;
    const double freeze_s = seconds_of([&] {
        const auto s = session.snapshot();
        records = s->live.size();
        self = self_bytes(*s);
        encode_s = seconds_of([&] {
            const auto bytes = memwatch::encode(*s, memwatch::dump_format::memtrace);
            dumped = bytes ? bytes->size() : 0;
            if (!bytes) { std::printf("%s %s\n", bytes.error().what.c_str(), bytes.error().where.c_str()); }
        });
    });
    std::printf("%zu live blocks: %.1f B a record, freeze %.2f s, dump %.2f s, %.1f MB\n", records,
                static_cast<double>(self) / static_cast<double>(records), freeze_s - encode_s, encode_s,
                static_cast<double>(dumped) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
    memwatch::options wanted;
    wanted.preset = memwatch::preset_option::full;
    const memwatch::session session = memwatch::session::start(wanted);
    if (argc == 3) {
        const auto count = static_cast<std::size_t>(std::atoll(argv[2]));
        if (std::string_view(argv[1]) == "pairs") {
            at_depth(20, [&] { pairs(count); });
        }
        if (std::string_view(argv[1]) == "churn") {
            churn blocks(100'000);
            at_depth(20, [&] { blocks.run(count); });
        }
        return 0;
    }
    for (const int threads : {1, 2, 4}) {
        print("birth + death at depth 20", 10'000, threads, &pairs);
        print("batches of 1,000 births, then their deaths", 10'000, threads, &batch);
        churn blocks(100'000);
        print("random churn, 100,000 live", 10'000, threads, [&](std::size_t n) { blocks.run(n); });
    }
    print_freeze(session, 1'000'000);
    print_freeze(session, 5'000'000);
}
