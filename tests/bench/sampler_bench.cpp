// SPDX-License-Identifier: Apache-2.0
// What a sampler costs an allocation that is no sample: Poisson by bytes draws once in R bytes, the others decide at each
// block.
//
//   bench-sampler                 a pair of tracked_allocator under each sampler beside Poisson, interleaved, in ns
//   bench-sampler count WHAT N    N pairs under WHAT (poisson, one_in_n, own), for hot_path_instructions.py
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "bench/interleaved.hpp"

namespace {

struct block {
    char bytes[64];
};

constexpr std::size_t pairs_a_round = 1U << 16U;

double never(std::size_t, std::uint16_t, void*) noexcept { return 0; }

void escape(void* pointer) { asm volatile("" : : "g"(pointer) : "memory"); }

[[gnu::noinline]] void pairs(std::size_t count) {
    memwatch::tracked_allocator<block> allocator{memwatch::tag{"bench"}};
    for (std::size_t i = 0; i < count; ++i) {
        block* const one = allocator.allocate(1);
        escape(one);
        allocator.deallocate(one, 1);
    }
}

bool choose(memwatch::session& session, const char* sampler) {
    if (!session.set({{"sampler", sampler}})) { return false; }
    pairs(2 * ((64U << 20U) / sizeof(block)));  // the draw that was under way ends within 64 MiB, twice the interval's mean
    return true;
}

// Rounds of half a million pairs: a choice takes effect only with the end of a draw.
void compare(memwatch::session& session, const char* sampler) {
    std::vector<double> of_a, of_b, differences;
    for (int round = 0; round < 20; ++round) {
        if (!choose(session, "poisson")) { return; }
        const double a = bench::nanoseconds_per(pairs_a_round * 8, pairs);
        if (!choose(session, sampler)) { return; }
        const double b = bench::nanoseconds_per(pairs_a_round * 8, pairs);
        of_a.push_back(a);
        of_b.push_back(b);
        differences.push_back(b - a);
    }
    const bench::comparison total{bench::summarize(of_a), bench::summarize(of_b), bench::summarize(differences)};
    std::printf("poisson -> %-9s %6.2f -> %6.2f ns   %+5.2f ns [%+5.2f .. %+5.2f]\n", sampler, total.a.median, total.b.median,
                total.difference.median, total.difference.low, total.difference.high);
}

// No sample at all, so that two runs differ in their pairs only.
int count(const char* sampler, std::size_t operations) {
    memwatch::options wanted;
    wanted.interval_bytes = std::uint64_t{1} << 40U;
    wanted.one_in = 1'000'000'000;
    wanted.control = memwatch::control_option::off;
    memwatch::session session = memwatch::session::start(wanted);
    if (!session.set_sampler(&never) || !session.set({{"sampler", sampler}})) { return 2; }
    pairs(operations);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::strcmp(argv[1], "count") == 0) { return count(argv[2], std::strtoull(argv[3], nullptr, 10)); }
    memwatch::options wanted;
    wanted.interval_bytes = 32U << 20U;
    wanted.one_in = 1'000'000'000;  // decided at each block, taken at none
    wanted.control = memwatch::control_option::off;
    memwatch::session session = memwatch::session::start(wanted);
    if (!session.set_sampler(&never)) { return 1; }
    compare(session, "one_in_n");
    compare(session, "own");
    return 0;
}
