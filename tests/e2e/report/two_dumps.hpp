// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the leaking programs of this folder have in common: everything is recorded, work is done at an even pace, and two dumps
// are written to the folder that the program is given. Threads: the main one.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <memwatch/memwatch.hpp>

namespace leaks {

// Calls `work` `times` times, spread evenly over a third of a second: leaks are steady, not bursts.
template <class Work>
void at_an_even_pace(int times, Work&& work) {
    using clock = std::chrono::steady_clock;
    const auto begin = clock::now();
    const auto step = std::chrono::microseconds(330'000) / times;
    for (int i = 0; i < times; ++i) {
        work(i);
        while (clock::now() < begin + (i + 1) * step) {}
    }
}

inline memwatch::snapshot take(const memwatch::session& session, const char* label) {
    auto s = session.snapshot(label);
    if (!s) {
        std::fprintf(stderr, "%s: %s\n", label, s.error().message().c_str());
        std::exit(1);
    }
    return std::move(*s);
}

inline void write(const memwatch::snapshot& s, const std::string& folder) {
    const auto written = s.write_to(folder + "/" + s.info.label + ".memtrace");
    if (written) { return; }
    std::fprintf(stderr, "%s\n", written.error().message().c_str());
    std::exit(1);
}

// The whole program: some work, a snapshot, more work, a snapshot. Both are written at the end, so that nothing but the work
// lies between them.
template <class Work>
int run(int count, char** arguments, int times, Work&& work) {
    if (count != 2) { return 2; }
    const auto session = memwatch::session::start();
    at_an_even_pace(times / 4 + 1, work);
    const memwatch::snapshot before = take(session, "before");
    at_an_even_pace(times, work);
    const memwatch::snapshot after = take(session, "after");
    write(before, arguments[1]);
    write(after, arguments[1]);
    return 0;
}

}  // namespace leaks
