// SPDX-License-Identifier: Apache-2.0
// How long a comparison takes whose 10,000 sites (stacks of 8 to 40 frames, every module rebuilt, one function in thirty
// renamed, one in ten edited) climb the identity ladder; beside it the same without a rebuild, where every site matches
// exactly, and the fingerprint. Budget: ladder < 1 s of CPU. Exits 1 beyond it.

#include <cstdio>
#include <ctime>

#include <memwatch/diff/diff.hpp>

#include "large_snapshot.hpp"

using namespace memwatch_bench;

namespace {

// Of processor time: one thread computes, and the machine may be busy.
double seconds_of(const auto& work) {
    const auto start = std::clock();
    work();
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

constexpr std::uint32_t function_count = 6000;

// `version` 0 or 1: what the compiler and the editors made of each function.
void name_frames(snapshot& s, std::uint32_t version) {
    for (std::uint32_t i = 0; i < s.frames.size(); ++i) {
        const std::uint32_t number = i % function_count;
        const std::uint32_t start = 10 + number % 900 + version * (number % 7);
        const std::uint32_t edited = version != 0 && number % 10 == 3 ? 2 : 0;
        const std::string name = "orders::component_" + std::to_string(number % 300) + "::function_" + std::to_string(number) +
                                 (version != 0 && number % 30 == 7 ? "_renamed" : "") + "(orders::request const&, int)";
        s.frames[i].lines = {
            {name, "/src/component_" + std::to_string(number % 300) + ".cpp", start + 1 + i % 29 + edited, start}};
        s.frames[i].offset += version * 0x100;
    }
    for (auto& each : s.modules) { each.build_id += version != 0 ? "b" : "a"; }
}

snapshot make(std::uint32_t version) {
    snapshot s;
    std::mt19937_64 random{seed};
    add_tables(s, random);
    add_sites(s, random);
    for (std::size_t i = 0; i < s.sites.size(); ++i) {
        for (std::size_t n = 1 + i % 3; n > 0; --n) { s.sites[i].live.add(4096 + 64 * i, interval); }
    }
    s.info.session = version == 0 ? "before" : "after";
    name_frames(s, version);
    return s;
}

}  // namespace

int main() {
    const snapshot before = make(0);
    const snapshot after = make(1);
    std::uint64_t found = 0;
    delta rebuilt;
    const double exact = seconds_of([&] { found += diff(before, before, {dimension::site, 0, "", 20})->rungs[1]; });
    const double ladder = seconds_of([&] { rebuilt = *diff(before, after, {dimension::site, 0, "", 20}); });
    fingerprint print;
    const double shape = seconds_of([&] { print = fingerprint_of(before); });
    std::printf("10,000 sites, 40 modules, 40,000 frames\n");
    std::printf("same build     %8.3f s  (%llu exact)\n", exact, static_cast<unsigned long long>(found));
    std::printf(
        "rebuilt        %8.3f s  (%llu by frames, %llu by function, %llu in one only, %zu moves shown; budget 1 s of CPU)\n",
        ladder, static_cast<unsigned long long>(rebuilt.rungs[2]), static_cast<unsigned long long>(rebuilt.rungs[3]),
        static_cast<unsigned long long>(rebuilt.rungs[0]), rebuilt.moves.size());
    std::printf("fingerprint    %8.3f s  (%s)\n", shape, print.hex().c_str());
    return ladder < 1 ? 0 : 1;
}
