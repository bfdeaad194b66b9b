// SPDX-License-Identifier: Apache-2.0
// A day in the life of services that do not leak, in seconds: the engine must not say that they do. Then the same services with
// a leak put in: how soon is it said, counted from the moment at which 25 of its blocks have been sampled?
//
//   memwatch-soak                24 h x 8 shapes x 3 seeds; leaks of 0.1-4 MiB/s; sites that fill evenly for minutes (printed
//   apart) memwatch-soak --quick        2 h x 8 shapes x 1 seed, a third of the leaks
//   --hours H --seeds N --first-seed S --shape NAME --threads N --no-leaks --no-first-fills --verbose
//
// A verdict is counted when it is adopted: a look at which a site's level is higher than at the look before. What is adopted in
// a site's first fill (filling for more than a minute, nothing could be released yet) stands in a column of its own, for up to
// there its history is that of a leak.
//
// Exit status 1: a leak verdict outside of first fills, or suspects above 1 in 1,000 site-days, or less than 93 % of the leaks
// named within 20 epochs of the bound. Everything is drawn from seeds: a run repeats exactly. No verdict in n site-days says,
// with 95 % confidence, that there are fewer than 3/n (the rule of three); the last line prints it.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "observer.hpp"

namespace {

using memwatch::level_of;
using memwatch::verdict;
using memwatch::verdict_level;
using soak::shape;

constexpr double mib = 1024 * 1024;
constexpr double interval_bytes = mib;
constexpr double epoch_s = 10;
constexpr double day_s = 24 * 3600;

struct options {
    double hours{24};
    std::uint64_t seeds{3};
    std::uint64_t first_seed{1};
    std::string only;
    unsigned threads{std::max(1U, std::thread::hardware_concurrency())};
    bool has_leaks{true};
    bool has_first_fills{true};
    bool is_quick{false};
    bool is_verbose{false};
};

struct level_counts {
    std::uint64_t leaks{0};
    std::uint64_t suspects{0};

    void add(verdict_level level) { ++(level == verdict_level::leak ? leaks : suspects); }
    void add(const level_counts& other) {
        leaks += other.leaks;
        suspects += other.suspects;
    }
};

struct tally {
    double site_days{0};
    level_counts adopted;
    level_counts in_first_fill;
    std::map<std::string_view, level_counts> by_behaviour;        // adopted
    std::map<std::string_view, level_counts> first_by_behaviour;  // in first fills
    std::map<std::string_view, std::uint64_t> sites;              // by behaviour
    std::map<std::string_view, std::uint64_t> accused;            // sites ever of level leak in a first fill
    std::map<memwatch::verdict_class, std::uint64_t> at_end;
    double cpu_s{0};
    std::uint64_t looks{0};
    std::uint64_t site_looks{0};
    std::size_t engine_bytes{0};
    std::vector<std::string> stories;  // the wrong verdicts, in words

    void add(const tally& other) {
        site_days += other.site_days;
        adopted.add(other.adopted);
        in_first_fill.add(other.in_first_fill);
        for (const auto& [name, counts] : other.by_behaviour) { by_behaviour[name].add(counts); }
        for (const auto& [name, counts] : other.first_by_behaviour) { first_by_behaviour[name].add(counts); }
        for (const auto& [name, count] : other.sites) { sites[name] += count; }
        for (const auto& [name, count] : other.accused) { accused[name] += count; }
        for (const auto& [kind, count] : other.at_end) { at_end[kind] += count; }
        cpu_s += other.cpu_s;
        looks += other.looks;
        site_looks += other.site_looks;
        engine_bytes = std::max(engine_bytes, other.engine_bytes);
        stories.insert(stories.end(), other.stories.begin(), other.stories.end());
    }
};

std::string story_of(shape of, std::uint64_t seed, const soak::service& observed, const soak::site& site, const verdict& said,
                     bool is_first_fill) {
    char text[512];
    std::snprintf(
        text, sizeof text,
        "%s seed %llu site %u (%.*s)%s at %.0f s: %.*s, confidence %.2f, since %.0f s, %.1f MiB in %.0f objects, %.3f +- %.3f "
        "MiB/s, kept %.2f (>= %.2f), freed %.0f, follow-up %.1f, %zu samples alive;",
        soak::shape_names[static_cast<std::size_t>(of)].data(), static_cast<unsigned long long>(seed), said.index,
        static_cast<int>(site.behaviour().size()), site.behaviour().data(), is_first_fill ? " in its first fill" : "",
        observed.now_s(), static_cast<int>(word_of(said.kind).size()), word_of(said.kind).data(), said.confidence,
        static_cast<double>(said.since_ns) * 1e-9 - 1, said.retained_bytes / mib, said.retained_objects,
        said.rate_bytes_per_second / mib, said.rate_error / mib, said.kept_share, said.kept_share_low, said.freed_objects,
        said.follow_up, site.alive().size());
    std::string story = text;
    for (const memwatch::verdict_feature& each : said.features) {
        std::snprintf(text, sizeof text, " %.*s %.3g", static_cast<int>(word_of(each.kind).size()), word_of(each.kind).data(),
                      each.value);
        story += text;
    }
    return story;
}

// One service's day.
tally clean_run(shape of, std::uint64_t seed, double hours) {
    soak::service observed(of, seed, static_cast<std::uint64_t>(interval_bytes), epoch_s);
    soak::observer eye(epoch_s);
    tally sum;
    const std::size_t sites = observed.sites().size();
    std::vector<verdict_level> before(sites, verdict_level::none);
    std::vector<bool> is_accused(sites, false);
    for (const auto& each : observed.sites()) { ++sum.sites[each->behaviour()]; }
    while (observed.now_s() < hours * 3600) {
        observed.live_one_epoch();
        eye.look_at(observed, interval_bytes);
        std::vector<verdict_level> levels(sites, verdict_level::none);
        for (const verdict& said : eye.verdicts()) {
            if (said.subject != memwatch::verdict_subject::site) { continue; }
            levels[said.index] = level_of(said.kind);
            if (levels[said.index] <= before[said.index]) { continue; }
            const soak::site& site = *observed.sites()[said.index];
            const bool is_first_fill = site.is_in_first_fill(observed.now_s());
            (is_first_fill ? sum.in_first_fill : sum.adopted).add(levels[said.index]);
            (is_first_fill ? sum.first_by_behaviour : sum.by_behaviour)[site.behaviour()].add(levels[said.index]);
            if (levels[said.index] == verdict_level::leak && !is_accused[said.index]) {
                is_accused[said.index] = true;
                ++sum.accused[site.behaviour()];
            }
            sum.stories.push_back(story_of(of, seed, observed, site, said, is_first_fill));
        }
        before = levels;
        ++sum.looks;
    }
    for (const verdict& said : eye.verdicts()) { ++sum.at_end[said.kind]; }
    sum.site_days = static_cast<double>(sites) * observed.now_s() / day_s;
    sum.site_looks = sum.looks * sites;
    sum.cpu_s = eye.look_seconds();
    sum.engine_bytes = eye.self_bytes();
    return sum;
}

struct leak_case {
    shape of;
    std::uint64_t seed;
    double rate;   // bytes a second that are lost
    double share;  // of what the site allocates
};

struct leak_outcome {
    double starts_s{0};
    double bound_s{0};    // 25 samples of lost blocks are alive
    double suspect_s{0};  // 0 = never
    double leak_s{0};
    std::uint64_t samples{0};  // of lost blocks, when it was said
    double rate_ratio{0};      // said / true
};

// Until the leak is named, or for 60 epochs after the bound.
leak_outcome leak_run(const leak_case& test) {
    constexpr std::uint64_t bound_samples = 25;
    constexpr double patience_s = 60 * epoch_s;
    soak::service observed(test.of, 1000 + test.seed, static_cast<std::uint64_t>(interval_bytes), epoch_s);
    leak_outcome outcome;
    soak::chance when(test.seed * 7919 + static_cast<std::uint64_t>(test.of));
    outcome.starts_s = when.log_between(300, 3600);
    const std::size_t leaky = observed.inject(test.rate, test.share, outcome.starts_s);
    soak::observer eye(epoch_s);
    while (outcome.leak_s == 0 && (outcome.bound_s == 0 || observed.now_s() < outcome.bound_s + patience_s)) {
        observed.live_one_epoch();
        eye.look_at(observed, interval_bytes);
        const soak::site& site = *observed.sites()[leaky];
        if (outcome.bound_s == 0 && site.lost_samples() >= bound_samples) { outcome.bound_s = observed.now_s(); }
        for (const verdict& said : eye.verdicts()) {
            if (said.subject != memwatch::verdict_subject::site || said.index != leaky) { continue; }
            const verdict_level level = level_of(said.kind);
            if (level != verdict_level::none && outcome.suspect_s == 0) { outcome.suspect_s = observed.now_s(); }
            if (level != verdict_level::leak) { continue; }
            outcome.leak_s = observed.now_s();
            outcome.samples = site.lost_samples();
            outcome.rate_ratio = said.rate_bytes_per_second / test.rate;
        }
    }
    return outcome;
}

// Runs `work(i)` for i below `count`, on some threads.
template <class Work>
void in_parallel(std::size_t count, unsigned threads, Work work) {
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> workers;
    for (unsigned t = 0; t < threads; ++t) {
        workers.emplace_back([&] {
            // relaxed: only numbers are handed out; results are read after join().
            for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) { work(i); }
        });
    }
    for (std::thread& each : workers) { each.join(); }
}

std::vector<shape> chosen_shapes(const options& wanted) {
    std::vector<shape> shapes;
    for (std::size_t i = 0; i < soak::clean_shapes; ++i) {
        if (wanted.only.empty() || wanted.only == soak::shape_names[i]) { shapes.push_back(static_cast<shape>(i)); }
    }
    return shapes;
}

void print_stories(const tally& sum, std::size_t most) {
    for (std::size_t i = 0; i < std::min(most, sum.stories.size()); ++i) { std::printf("    %s\n", sum.stories[i].c_str()); }
    if (sum.stories.size() > most) { std::printf("    ... and %zu more (--verbose)\n", sum.stories.size() - most); }
}

tally soak_all(const options& wanted) {
    const std::vector<shape> shapes = chosen_shapes(wanted);
    std::vector<tally> results(shapes.size() * wanted.seeds);
    in_parallel(results.size(), wanted.threads, [&](std::size_t i) {
        // The largest shape comes last: it goes first, so that no thread waits for it alone.
        const std::size_t at = results.size() - 1 - i;
        results[at] = clean_run(shapes[at / wanted.seeds], wanted.first_seed + at % wanted.seeds, wanted.hours);
    });
    std::printf("%g h without a leak, R = 1 MiB, epochs of 10 s, seeds %llu..%llu; verdicts adopted:\n\n", wanted.hours,
                static_cast<unsigned long long>(wanted.first_seed),
                static_cast<unsigned long long>(wanted.first_seed + wanted.seeds - 1));
    std::printf("| shape | site-days | leaks | suspects | first fills: leaks | suspects |\n|---|---|---|---|---|---|\n");
    tally all;
    for (std::size_t s = 0; s < shapes.size(); ++s) {
        tally sum;
        for (std::size_t i = 0; i < wanted.seeds; ++i) { sum.add(results[s * wanted.seeds + i]); }
        const auto name = soak::shape_names[static_cast<std::size_t>(shapes[s])];
        std::printf("| %s | %.0f | %llu | %llu | %llu | %llu |\n", name.data(), sum.site_days,
                    static_cast<unsigned long long>(sum.adopted.leaks), static_cast<unsigned long long>(sum.adopted.suspects),
                    static_cast<unsigned long long>(sum.in_first_fill.leaks),
                    static_cast<unsigned long long>(sum.in_first_fill.suspects));
        all.add(sum);
    }
    const double per_1000 = 1000 * static_cast<double>(all.adopted.suspects) / all.site_days;
    std::printf("| all | %.0f | %llu | %llu: %.2f in 1,000 site-days | %llu | %llu |\n\nat the end:", all.site_days,
                static_cast<unsigned long long>(all.adopted.leaks), static_cast<unsigned long long>(all.adopted.suspects),
                per_1000, static_cast<unsigned long long>(all.in_first_fill.leaks),
                static_cast<unsigned long long>(all.in_first_fill.suspects));
    for (const auto& [kind, count] : all.at_end) {
        std::printf(" %s %llu", word_of(kind).data(), static_cast<unsigned long long>(count));
    }
    std::printf("\nengine: %.2f us of CPU a site and look, %.0f KiB at most\n",
                1e6 * all.cpu_s / static_cast<double>(all.site_looks), static_cast<double>(all.engine_bytes) / 1024);
    if (!all.stories.empty()) {
        std::printf("by behaviour (leaks, suspects; in first fills):\n");
        for (const auto& [name, count] : all.sites) {
            const level_counts out = all.by_behaviour[name];
            const level_counts in = all.first_by_behaviour[name];
            if (out.leaks + out.suspects + in.leaks + in.suspects == 0) { continue; }
            std::printf("  %-14.*s %llu sites: %llu, %llu; %llu, %llu\n", static_cast<int>(name.size()), name.data(),
                        static_cast<unsigned long long>(count), static_cast<unsigned long long>(out.leaks),
                        static_cast<unsigned long long>(out.suspects), static_cast<unsigned long long>(in.leaks),
                        static_cast<unsigned long long>(in.suspects));
        }
        print_stories(all, wanted.is_verbose ? all.stories.size() : 10);
    }
    return all;
}

struct recall {
    std::size_t within{0};
    std::size_t all{0};
};

recall leaks_all(const options& wanted) {
    std::vector<leak_case> cases;
    const std::vector<double> rates =
        wanted.is_quick ? std::vector<double>{0.5, 2} : std::vector<double>{0.1, 0.25, 0.5, 1, 2, 4};
    const std::vector<double> shares{1, 0.1, 0.01};
    for (const double share : shares) {
        for (const double rate : rates) {
            for (const shape of : chosen_shapes(wanted)) {
                for (std::uint64_t i = 0; i < wanted.seeds; ++i) {
                    cases.push_back({of, wanted.first_seed + i, rate * mib, share});
                }
            }
        }
    }
    std::vector<leak_outcome> outcomes(cases.size());
    in_parallel(cases.size(), wanted.threads, [&](std::size_t i) { outcomes[i] = leak_run(cases[i]); });

    std::printf("\nwith one leak put in, from 5-60 min on; epochs from 25 sampled lost blocks to the verdict:\n\n");
    std::printf(
        "| lost share of the site | MiB/s | runs | named within 20 | median | 90th percentile | worst | seconds from the "
        "start, median "
        "| said rate / true, median |\n|---|---|---|---|---|---|---|---|---|\n");
    recall sum;
    const std::size_t runs = cases.size() / shares.size() / rates.size();
    for (std::size_t at = 0; at < cases.size(); at += runs) {
        std::vector<double> delays;
        std::vector<double> seconds;
        std::size_t within = 0;
        std::vector<double> ratios;
        for (std::size_t i = at; i < at + runs; ++i) {
            const leak_outcome& each = outcomes[i];
            delays.push_back(each.leak_s > 0 ? (each.leak_s - each.bound_s) / epoch_s : 1e9);
            seconds.push_back(each.leak_s > 0 ? each.leak_s - each.starts_s : 1e9);
            within += delays.back() <= 20 ? 1 : 0;
            if (each.leak_s > 0) { ratios.push_back(each.rate_ratio); }
            if (wanted.is_verbose && delays.back() > 20) {
                std::printf("    %s seed %llu: bound at %.0f s, suspect at %.0f s, leak at %.0f s\n",
                            soak::shape_names[static_cast<std::size_t>(cases[i].of)].data(),
                            static_cast<unsigned long long>(cases[i].seed), each.bound_s, each.suspect_s, each.leak_s);
            }
        }
        std::sort(delays.begin(), delays.end());
        std::sort(seconds.begin(), seconds.end());
        std::sort(ratios.begin(), ratios.end());
        const auto figure = [](double value) {
            char text[32];
            std::snprintf(text, sizeof text, value >= 1e9 ? "never" : "%.0f", value);
            return std::string(text);
        };
        std::printf("| %g | %g | %zu | %zu | %s | %s | %s | %s | %.2f |\n", cases[at].share, cases[at].rate / mib, runs, within,
                    figure(delays[runs / 2]).c_str(), figure(delays[runs * 9 / 10]).c_str(), figure(delays.back()).c_str(),
                    figure(seconds[runs / 2]).c_str(), ratios.empty() ? 0 : ratios[ratios.size() / 2]);
        sum.within += within;
        sum.all += runs;
    }
    std::printf("\nnamed within 20 epochs of the bound: %zu of %zu\n", sum.within, sum.all);
    return sum;
}

void first_fills(const options& wanted) {
    std::vector<tally> results(wanted.seeds);
    in_parallel(results.size(), wanted.threads, [&](std::size_t i) {
        results[i] = clean_run(shape::first_fills, wanted.first_seed + i, std::min(wanted.hours, 6.0));
    });
    tally sum;
    for (const tally& each : results) { sum.add(each); }
    std::printf(
        "\nsites that fill for 1, 2, 5, 10, 30, 60 min at up to 0.1, 0.5, 2 MiB/s before they can release anything (not judged "
        "here):\n\n"
        "| behaviour | sites | of these called a leak | leak verdicts in the first fill | after it |\n|---|---|---|---|---|\n");
    for (const auto& [name, count] : sum.sites) {
        std::printf("| %.*s | %llu | %llu | %llu | %llu |\n", static_cast<int>(name.size()), name.data(),
                    static_cast<unsigned long long>(count), static_cast<unsigned long long>(sum.accused[name]),
                    static_cast<unsigned long long>(sum.first_by_behaviour[name].leaks),
                    static_cast<unsigned long long>(sum.by_behaviour[name].leaks));
    }
    if (wanted.is_verbose) { print_stories(sum, sum.stories.size()); }
}

options parse(int argc, char** argv) {
    options wanted;
    const auto bad = [&](const char* word) {
        std::fprintf(stderr, "memwatch-soak: what is '%s'? See the head of tests/leakzoo/soak/soak.cpp\n", word);
        std::exit(2);
    };
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const auto value = [&]() -> const char* { return i + 1 < argc ? argv[++i] : (bad(argv[i]), ""); };
        if (word == "--hours") {
            wanted.hours = std::atof(value());
        } else if (word == "--seeds") {
            wanted.seeds = std::strtoull(value(), nullptr, 10);
        } else if (word == "--first-seed") {
            wanted.first_seed = std::strtoull(value(), nullptr, 10);
        } else if (word == "--shape") {
            wanted.only = value();
        } else if (word == "--threads") {
            wanted.threads = static_cast<unsigned>(std::max(1, std::atoi(value())));
        } else if (word == "--no-leaks") {
            wanted.has_leaks = false;
        } else if (word == "--no-first-fills") {
            wanted.has_first_fills = false;
        } else if (word == "--verbose") {
            wanted.is_verbose = true;
        } else if (word == "--quick") {
            wanted.is_quick = true;
            wanted.hours = 2;
            wanted.seeds = 1;
        } else {
            bad(argv[i]);
        }
    }
    if (chosen_shapes(wanted).empty() || wanted.seeds == 0 || !(wanted.hours > 0)) { bad("an empty soak"); }
    return wanted;
}

}  // namespace

int main(int argc, char** argv) {
    const options wanted = parse(argc, argv);
    const auto began = std::chrono::steady_clock::now();
    const tally day = soak_all(wanted);
    recall leaks;
    if (wanted.has_leaks) { leaks = leaks_all(wanted); }
    if (wanted.has_first_fills) { first_fills(wanted); }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;

    const double allowed_suspects = std::max(1.0, day.site_days / 1000);
    const bool is_silent = day.adopted.leaks == 0 && static_cast<double>(day.adopted.suspects) <= allowed_suspects;
    const bool is_seeing = static_cast<double>(leaks.within) >= 0.93 * static_cast<double>(leaks.all);
    std::printf(
        "\n%s: %llu leak verdicts in %.0f site-days (with 95 %% confidence below %.2f in 1,000 if none), %llu suspects; %.0f "
        "s\n",
        is_silent && is_seeing ? "holds" : "DOES NOT HOLD", static_cast<unsigned long long>(day.adopted.leaks), day.site_days,
        3000 / day.site_days, static_cast<unsigned long long>(day.adopted.suspects), took.count());
    return is_silent && is_seeing ? 0 : 1;
}
