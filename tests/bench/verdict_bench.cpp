// SPDX-License-Identifier: Apache-2.0
// What judging costs: one engine, 10,000 sites, what is alive at them at R = 1 MiB.
//
//   verdict_bench [LOOKS]            milliseconds of CPU a look (counting, judging, verdicts()), bytes of state, CPU at 10 s
//   epochs verdict_bench count LOOKS        only that many looks, for callgrind: the difference between two counts is what
//   looks cost
//
// The sites are twenty mixed services of the soak (tests/leakzoo/soak), an hour old; a service's time goes on between the
// looks.
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include "bench/interleaved.hpp"
#include "leakzoo/soak/service.hpp"
#include "verdict/engine.hpp"

namespace {

constexpr double epoch_s = 10;
constexpr std::uint64_t interval_bytes = 1U << 20U;
constexpr std::size_t services = 20;

double thread_cpu_ms() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

std::uint64_t nanoseconds(double seconds) { return 1'000'000'000 + static_cast<std::uint64_t>(seconds * 1e9); }

struct part_costs {
    double counting_ms;
    double judging_ms;
    double verdicts_ms;
};

class town {
public:
    town() {
        for (std::size_t i = 0; i < services; ++i) {
            services_.push_back(std::make_unique<soak::service>(soak::shape::mixed, 100 + i, interval_bytes, epoch_s));
        }
    }

    void live_one_epoch() {
        blocks_.clear();
        totals_.clear();
        traces_ = 0;
        for (const auto& each : services_) {
            each->live_one_epoch();
            traces_ += each->completed_traces();
            for (const auto& site : each->sites()) {
                const auto number = static_cast<std::uint32_t>(totals_.size());
                for (const soak::block& alive : site->alive()) {
                    blocks_.push_back(
                        {number, {nanoseconds(alive.birth_s), alive.size_bytes, interval_bytes, alive.is_traced}});
                }
                totals_.push_back(site->totals());
            }
        }
    }

    part_costs look() {
        const double begun = thread_cpu_ms();
        memwatch::look now;
        now.time_ns = nanoseconds(services_.front()->now_s());
        now.sites = static_cast<std::uint32_t>(totals_.size());
        now.completed_traces = traces_;
        engine_.begin_look(now);
        for (const numbered_block& each : blocks_) { engine_.count_block(each.site, each.alive); }
        for (std::uint32_t i = 0; i < now.sites; ++i) { engine_.count_site(i, totals_[i]); }
        const double counted = thread_cpu_ms();
        engine_.end_look();
        const double judged = thread_cpu_ms();
        const std::size_t verdicts = engine_.verdicts().size();
        const double ended = thread_cpu_ms();
        verdicts_ = verdicts;
        return {counted - begun, judged - counted, ended - judged};
    }

    [[nodiscard]] std::size_t sites() const { return totals_.size(); }
    [[nodiscard]] std::size_t blocks() const { return blocks_.size(); }
    [[nodiscard]] std::size_t verdicts() const { return verdicts_; }
    [[nodiscard]] std::size_t self_bytes() const { return engine_.self_bytes(); }

private:
    struct numbered_block {
        std::uint32_t site;
        memwatch::alive_block alive;
    };

    std::vector<std::unique_ptr<soak::service>> services_;
    std::vector<numbered_block> blocks_;
    std::vector<memwatch::site_totals> totals_;
    std::uint64_t traces_{0};
    memwatch::engine engine_{memwatch::engine_settings{}};
    std::size_t verdicts_{0};
};

void print(const char* what, const bench::summary& value) {
    std::printf("  %-28s %6.2f ms [%.2f .. %.2f]\n", what, value.median, value.low, value.high);
}

int measure(std::size_t looks) {
    constexpr std::size_t warm_up = 360;  // an hour
    town place;
    std::vector<double> counting;
    std::vector<double> judging;
    std::vector<double> verdicts;
    std::vector<double> all;
    for (std::size_t i = 0; i < warm_up + looks; ++i) {
        place.live_one_epoch();
        const part_costs cost = place.look();
        if (i < warm_up) { continue; }
        counting.push_back(cost.counting_ms);
        judging.push_back(cost.judging_ms);
        verdicts.push_back(cost.verdicts_ms);
        all.push_back(cost.counting_ms + cost.judging_ms + cost.verdicts_ms);
    }
    const bench::summary whole = bench::summarize(all);
    std::printf("a look at %zu sites with %zu live samples, CPU time, median [10th .. 90th] of %zu:\n", place.sites(),
                place.blocks(), looks);
    print("count blocks and sites", bench::summarize(counting));
    print("judge", bench::summarize(judging));
    print("verdicts(), all of them", bench::summarize(verdicts));
    print("all", whole);
    std::printf("budget 50 ms: %s\n", whole.high < 50 ? "held" : "MISSED");
    const double share = whole.median / (epoch_s * 1e3);
    std::printf("at epochs of 10 s %.4f %% of a core; budget 0.2 %%: %s\n", 100 * share, share <= 0.002 ? "held" : "MISSED");
    const double a_site = static_cast<double>(place.self_bytes()) / static_cast<double>(place.sites());
    std::printf("%zu bytes kept of a site; budget 400: %s\n", sizeof(memwatch::site_history),
                sizeof(memwatch::site_history) <= 400 ? "held" : "MISSED");
    std::printf("engine %.2f MiB, %.0f bytes a site with a look's scratch; budget 4 MiB: %s\n",
                static_cast<double>(place.self_bytes()) / (1 << 20), a_site,
                place.self_bytes() <= (4U << 20U) ? "held" : "MISSED");
    return 0;
}

struct page {
    char bytes[4096];
};

// A stack of its own for each `path`: 14 calls, each from one of two places.
[[gnu::noinline]] page* allocate_at(unsigned path, int levels, memwatch::tracked_allocator<page>& from) {
    page* made = nullptr;
    if (levels == 0) {
        made = from.allocate(1);
    } else if ((path & 1U) != 0) {
        made = allocate_at(path >> 1U, levels - 1, from);
    } else {
        made = allocate_at(path >> 1U, levels - 1, from);
        asm volatile("nop" ::: "memory");  // the two calls stay two
    }
    asm volatile("" : "+r"(made)::"memory");  // no tail call
    return made;
}

// CPU time of the threads that memwatch runs in this process.
double own_threads_ms() {
    double sum_ms = 0;
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string name;
        std::ifstream(each.path() / "comm") >> name;
        if (name.rfind("memwatch", 0) != 0) { continue; }
        double ns = 0;
        std::ifstream(each.path() / "schedstat") >> ns;
        sum_ms += ns * 1e-6;
    }
    return sum_ms;
}

// Milliseconds of CPU an epoch of memwatch's own threads, while blocks come and go.
double own_ms_an_epoch(memwatch::verdicts_option judging, std::chrono::seconds length) {
    constexpr unsigned places = 10'000;
    constexpr std::size_t held = 40'000;
    constexpr std::chrono::milliseconds epoch{500};
    memwatch::options wanted;
    wanted.verdicts = judging;
    wanted.epoch_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(epoch).count());
    wanted.interval_bytes = 64;        // nearly every page is a sample
    wanted.budget_bytes = 64U << 20U;  // room for the sites
    wanted.target_samples_per_second = 0;
    wanted.target_overhead_permille = 0;
    const memwatch::session session = memwatch::session::start(wanted);
    memwatch::tracked_allocator<page> from{memwatch::tag{"verdict-bench"}};
    std::vector<page*> pages;
    for (std::size_t i = 0; i < held; ++i) { pages.push_back(allocate_at(static_cast<unsigned>(i % places), 14, from)); }
    std::this_thread::sleep_for(4 * epoch);
    const double begun_ms = own_threads_ms();
    const auto ends = std::chrono::steady_clock::now() + length;
    for (std::size_t i = 0; std::chrono::steady_clock::now() < ends; i = (i + 1) % held) {
        from.deallocate(pages[i], 1);
        pages[i] = allocate_at(static_cast<unsigned>(i % places), 14, from);
        if (i % 20 == 0) { std::this_thread::sleep_for(std::chrono::milliseconds(10)); }  // 2,000 a second at most
    }
    const double spent_ms = own_threads_ms() - begun_ms;
    if (const auto seen = session.snapshot("end")) {
        std::printf("  %zu sites, %zu live samples, %zu verdicts\n", seen->sites.size(), seen->live.size(),
                    seen->verdicts.size());
    }
    for (page* each : pages) { from.deallocate(each, 1); }
    return spent_ms / (std::chrono::duration<double>(length) / epoch);
}

int measure_process(int seconds) {
    // From one place: a stack has its callers, and the table of sites keeps those of the session before.
    double spent_ms[2]{};
    for (const int judging : {0, 1}) {
        const auto wanted = judging != 0 ? memwatch::verdicts_option::on : memwatch::verdicts_option::off;
        spent_ms[judging] = own_ms_an_epoch(wanted, std::chrono::seconds(seconds));
    }
    std::printf(
        "CPU of memwatch's threads an epoch: %.2f ms, judging %.2f ms; what judging adds is %.4f %% of a core at epochs of 10 "
        "s\n",
        spent_ms[0], spent_ms[1], 100 * (spent_ms[1] - spent_ms[0]) / (epoch_s * 1e3));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "count") {
        town place;
        for (int i = std::atoi(argv[2]); i > 0; --i) {
            place.live_one_epoch();
            place.look();
        }
        std::printf("%zu sites, %zu verdicts\n", place.sites(), place.verdicts());
        return 0;
    }
    if (argc > 1 && std::string_view(argv[1]) == "process") { return measure_process(argc > 2 ? std::atoi(argv[2]) : 10); }
    return measure(argc > 1 ? static_cast<std::size_t>(std::atoi(argv[1])) : 100);
}
