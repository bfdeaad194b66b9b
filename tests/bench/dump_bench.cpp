// SPDX-License-Identifier: Apache-2.0
// The native dump at full size: 1 M live records, 10 k sites, 200 k random trace ids. Prints size, encode and decode time
// (CPU), the diff of two such dumps read from files, and the peak RSS. Budgets (issue 2): < 20 MB, encode < 1 s; read both +
// diff < 2 s and < 500 MB. Exits 1 beyond a budget.
//
//   dump_bench [records]            all of it
//   dump_bench diff BEFORE AFTER    reads two dumps and compares them (run as a child, for an RSS of its own)
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include <memwatch/diff/diff.hpp>
#include <memwatch/snapshot/codec.hpp>

#include "large_snapshot.hpp"

using namespace memwatch_bench;

namespace {

// CPU time of this single-threaded program: what the wall clock says on a machine with nothing else to do.
double seconds_of(auto&& action) {
    const auto now = [] {
        timespec t{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
    };
    const double start = now();
    action();
    return now() - start;
}

double peak_rss_mb(int who) {
    rusage usage{};
    getrusage(who, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1000;
}

int run_diff(const char* before_path, const char* after_path) {
    double read = 0;
    double compared = 0;
    std::size_t rows = 0;
    result<decoded_snapshot> before;
    result<decoded_snapshot> after;
    read = seconds_of([&] {
        before = read_dump(before_path);
        after = read_dump(after_path);
    });
    if (!before || !after || !before->damage.empty() || !after->damage.empty()) { return 2; }
    compared = seconds_of([&] { rows = diff(before->value, after->value)->rows.size(); });
    const double by_trace = seconds_of([&] {
        rows += diff(before->value, after->value, {dimension::trace, 0, "", 20})->rows.size();
    });
    const double rss = peak_rss_mb(RUSAGE_SELF);
    std::printf(
        "read both      %8.3f s\ndiff by site   %8.3f s  (read + diff: budget 2 s)\ndiff by trace  %8.3f s\n"
        "rows           %8zu\npeak RSS       %8.0f MB (budget 500)\n",
        read, compared, by_trace, rows, rss);
    return read + compared < 2 && rss < 500 ? 0 : 1;
}

bool write(const snapshot& s, const std::string& path) {
    result<std::string> bytes;
    const double encoding = seconds_of([&] { bytes = encode(s, dump_format::memtrace); });
    if (!bytes) { return std::printf("%s\n", bytes.error().message().c_str()), false; }
    const double writing = seconds_of([&] { static_cast<void>(write_file_atomically(path, *bytes)); });
    const double decoding = seconds_of([&] { static_cast<void>(decode(*bytes)); });
    std::printf(
        "records        %8zu\nsize           %8.2f MB (budget 20)\nencode         %8.3f s  (budget 1)\nwrite          %8.3f s\n"
        "decode         %8.3f s\n",
        s.live.size(), static_cast<double>(bytes->size()) / 1e6, encoding, writing, decoding);
    return bytes->size() < 20'000'000 && encoding < 1;
}

int run_all(std::size_t records) {
    char directory[] = "/tmp/dump_bench.XXXXXX";
    if (mkdtemp(directory) == nullptr) { return 2; }
    const std::string before = std::string{directory} + "/before.memtrace";
    const std::string after = std::string{directory} + "/after.memtrace";
    bool is_within = true;
    {
        population people;
        snapshot s;
        add_tables(s, people.random);
        add_sites(s, people.random);
        for (std::size_t i = 0; i < records; ++i) { s.live.push_back(people.born()); }
        s.info.taken_ns = people.now_ns;
        fill_live_totals(s);
        is_within &= write(s, before);
        std::erase_if(s.live, [&](const live_record&) { return people.random() % 2 == 0; });  // half is gone, as much is born
        while (s.live.size() < records) { s.live.push_back(people.born()); }
        s.info.taken_ns = people.now_ns;
        fill_live_totals(s);
        is_within &= write(s, after);
    }
    const auto command = "/proc/" + std::to_string(getpid()) + "/exe diff " + before + " " + after;
    std::fflush(stdout);
    const int status = std::system(command.c_str());
    std::remove(before.c_str());
    std::remove(after.c_str());
    rmdir(directory);
    return is_within && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
    if (count == 4 && std::string_view{arguments[1]} == "diff") { return run_diff(arguments[2], arguments[3]); }
    return run_all(count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1'000'000);
}
