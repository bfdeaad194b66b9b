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
#include <random>
#include <string>
#include <string_view>

#include <memwatch/diff/diff.hpp>
#include <memwatch/snapshot/codec.hpp>

using namespace memwatch;

namespace {

constexpr std::uint64_t seed = 20261101;
constexpr std::uint64_t interval = 64 << 10;
constexpr std::size_t frame_count = 40'000;
constexpr std::size_t site_count = 10'000;
constexpr std::size_t trace_count = 200'000;

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

// Modules, stacks of 8 to 40 frames, tags, routes and threads of a large service.
void add_tables(snapshot& s, std::mt19937_64& random) {
    const auto below = [&](std::uint64_t bound) { return random() % bound; };
    s.info = {"bench",   "orders",
              "host-1",  "/opt/orders/bin/orders",
              "0.1.0",   "0123456789abcdef0123456789abcdef",
              4711,      1'700'000'000'000'000'000,
              0,         10'000'000'000,
              0,         interval,
              3ULL << 30};
    for (int i = 0; i < 40; ++i) {
        s.modules.push_back({"/usr/lib/x86_64-linux-gnu/lib" + std::to_string(i) + ".so", "00c0ffee" + std::to_string(1000 + i),
                             0x7f0000000000 + 0x1000000ULL * static_cast<std::uint64_t>(i), 0x7f0000800000, 0x1000});
    }
    for (std::size_t i = 0; i < frame_count; ++i) {
        s.frames.push_back({static_cast<std::uint32_t>(below(40)), below(8 << 20), {}});
    }
    for (std::size_t i = 0; i < site_count; ++i) {
        stack row;
        for (auto depth = 8 + below(32); depth > 0; --depth) {
            row.frames.push_back(static_cast<std::uint32_t>(below(frame_count)));
        }
        s.stacks.push_back(row);
    }
    for (int i = 0; i < 50; ++i) {
        s.tags.push_back({"component-" + std::to_string(i), 1ULL << 40, 1ULL << 30, 1ULL << 39, 1ULL << 29});
        s.routes.push_back(i == 0 ? "" : "/api/v2/resource-" + std::to_string(i));
    }
    for (int i = 0; i < 64; ++i) {
        s.threads.push_back({"worker-" + std::to_string(i), 5000ULL + static_cast<unsigned>(i), true});
    }
}

// Totals as sampling produces them: doubles with all their digits; two dozen cohorts a site.
void add_sites(snapshot& s, std::mt19937_64& random) {
    std::exponential_distribution<double> amount(1e-6);
    const auto totals = [&] {
        return sampled_totals{amount(random), amount(random), amount(random), amount(random), random() % 1000};
    };
    for (std::size_t i = 0; i < site_count; ++i) {
        site row;
        row.stack = static_cast<std::uint32_t>(i);
        row.tag = static_cast<std::uint32_t>(i % s.tags.size());
        row.type = i % 3 == 0 ? "" : "std::unordered_map<std::string, orders::item<" + std::to_string(i % 700) + "> >::node";
        row.allocated = totals();
        row.freed = totals();
        row.freed_by_other_thread = totals();
        for (std::uint64_t epoch = 0; epoch < 24; ++epoch) {
            row.cohorts.push_back({epoch, amount(random), amount(random), epoch == 0});
        }
        for (int bucket = 2; bucket < 9; ++bucket) { row.lifetimes.objects[bucket] = amount(random); }
        row.lifetimes.sum_seconds = amount(random);
        s.sites.push_back(row);
    }
}

struct population {
    std::mt19937_64 random{seed};
    std::vector<trace_id> traces;
    std::uint64_t sequence{};
    std::uint64_t now_ns{};

    population() {
        for (std::size_t i = 0; i < trace_count; ++i) { traces.push_back({random(), random()}); }
    }

    // A few large sites and many small ones; sizes follow the site; every 40th allocation is sampled, 25 us apart.
    live_record born() {
        live_record row;
        row.site = static_cast<std::uint32_t>(random() % (1 + random() % site_count));
        row.sequence = sequence += 1 + random() % 80;
        row.birth_ns = now_ns += random() % 50'000;
        row.size_bytes = (row.site % 5 == 0 ? 64 + random() % 4096 : 16ULL << row.site % 10);
        row.interval_bytes = interval;
        row.trace = random() % 5 == 0 ? trace_id{} : traces[random() % trace_count];
        row.route = static_cast<std::uint32_t>(random() % 50);
        row.thread = static_cast<std::uint32_t>(random() % 64);
        return row;
    }
};

void fill_live_totals(snapshot& s) {
    for (auto& row : s.sites) { row.live = {}; }
    for (const auto& row : s.live) { s.sites[row.site].live.add(row.size_bytes, row.interval_bytes); }
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
