// SPDX-License-Identifier: Apache-2.0
// Other tools' formats at full size: a dump of 1 M live records and 10 k sites written in each, and profiles as a large program
// leaves them read back. Each row is a process of its own: CPU time and the peak RSS it adds to its input.
//
//   exchange_bench

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <functional>
#include <random>
#include <string>

#include <memwatch/snapshot/codec.hpp>

#include "exchange/export_formats.hpp"
#include "exchange/foreign_profile.hpp"
#include "large_snapshot.hpp"

using namespace memwatch_bench;

namespace {

double cpu_seconds() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

double peak_mb() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1000;
}

// `work` returns the megabytes it wrote or read; below 0: it failed.
bool row(const char* name, const std::function<double()>& work) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        const double before_mb = peak_mb();
        const double start = cpu_seconds();
        const double size_mb = work();
        std::printf("%-42s %8.1f MB %7.2f s %8.0f MB\n", name, size_mb, cpu_seconds() - start, peak_mb() - before_mb);
        std::fflush(stdout);
        _exit(size_mb < 0 ? 1 : 0);
    }
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

double megabytes(const std::string& bytes) { return static_cast<double>(bytes.size()) / 1e6; }

double imported(const std::string& bytes) { return exchange::read_foreign_profile(bytes) ? megabytes(bytes) : -1; }

// 400 k stacks, 200 k kinds of allocation, 15 M events.
std::string recording() {
    std::mt19937_64 random(seed);
    const auto below = [&](std::uint64_t bound) { return static_cast<unsigned long long>(random() % bound); };
    std::string text = "v 10400 3\nX /usr/bin/big\nI 1000 0\n";
    char line[128];
    const auto add = [&](int length) { text.append(line, static_cast<std::size_t>(length)); };
    for (int i = 0; i < 60'000; ++i) {
        const std::string name = "app::module::function_" + std::to_string(i) + "<int, std::vector<std::string>>(int)";
        add(std::snprintf(line, sizeof line, "s %zx %s\n", name.size(), name.c_str()));
    }
    for (int i = 0; i < 100'000; ++i) {
        add(std::snprintf(line, sizeof line, "i %x 0 %llx %llx %llx\n", 0x5000 + i * 16, 1 + below(60'000), 1 + below(60'000),
                          below(500)));
    }
    std::vector<int> depth(400'001);
    for (std::uint64_t i = 1; i <= 400'000; ++i) {
        std::uint64_t parent = i > 2000 ? i - 1 - below(2000) : 0;
        if (depth[parent] > 60) { parent = 0; }
        depth[i] = depth[parent] + 1;
        add(std::snprintf(line, sizeof line, "t %llx %llx\n", 1 + below(100'000), static_cast<unsigned long long>(parent)));
    }
    for (int i = 0; i < 200'000; ++i) {
        add(std::snprintf(line, sizeof line, "a %llx %llx\n", 16 + below(4096), 1 + below(400'000)));
    }
    for (int i = 0; i < 8'000'000; ++i) {
        const auto which = below(200'000);
        add(std::snprintf(line, sizeof line, "+ %llx\n", which));
        if (i % 8 != 0) { add(std::snprintf(line, sizeof line, "- %llx\n", which)); }
    }
    return text + "# ips: 100000\n";
}

// Every frame with a name and a call inlined into it.
snapshot large_snapshot(int records) {
    snapshot s;
    std::mt19937_64 random(seed);
    add_tables(s, random);
    add_sites(s, random);
    for (std::size_t i = 0; i < s.frames.size(); ++i) {
        const std::string number = std::to_string(i);
        s.frames[i].lines = {{"orders::cache<int>::insert_" + number + "(orders::request const&)", "src/cache.cpp", 42},
                             {"orders::handle_" + number + "(int)", "src/handle.cpp", static_cast<std::uint32_t>(i % 999)}};
    }
    population blocks;
    for (int i = 0; i < records; ++i) { s.live.push_back(blocks.born()); }
    s.info.taken_ns = blocks.now_ns;
    fill_live_totals(s);
    return s;
}

}  // namespace

int main() {
    const snapshot s = large_snapshot(1'000'000);
    bool is_good = true;
    std::printf("%-42s %11s %9s %11s\n", "", "size", "CPU", "added RSS");
    const auto write = [&](const char* name, auto encode_it) {
        is_good = row(name, [&] { return megabytes(encode_it()); }) && is_good;
    };
    write("write pprof, 1 M records", [&] { return *encode(s, dump_format::pprof); });
    write("write speedscope", [&] { return exchange::encode_speedscope(s); });
    write("write folded", [&] { return *encode(s, dump_format::folded); });
    write("write DHAT", [&] { return exchange::encode_dhat(s); });
    write("write CSV", [&] { return exchange::encode_csv(s); });
    write("write JSON lines", [&] { return *encode(s, dump_format::jsonl); });
    const std::string profile = *encode(s, dump_format::pprof);
    is_good = row("read pprof with labels", [&] { return imported(profile); }) && is_good;
    const std::string events = recording();
    is_good = row("read heaptrack, 15 M events, 400 k stacks", [&] { return imported(events); }) && is_good;
    return is_good ? 0 : 1;
}
