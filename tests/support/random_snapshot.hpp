// SPDX-License-Identifier: Apache-2.0
#pragma once
// Random snapshots that pass validate(), and exact equality. Equality unpacks each struct with structured bindings: adding a
// field to the model without adding it here does not compile, so that no codec test can silently ignore a field.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <random>
#include <string>

#include <memwatch/model/snapshot.hpp>

namespace memwatch_test {

using namespace memwatch;

class random_source {
public:
    explicit random_source(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t below(std::uint64_t bound) { return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(engine_); }
    bool chance(double probability) { return std::bernoulli_distribution(probability)(engine_); }
    // Any 64-bit number, small ones as likely as huge ones.
    std::uint64_t number() { return engine_() >> below(64); }
    double amount() { return chance(0.3) ? 0.0 : chance(0.5) ? static_cast<double>(number()) : std::exp(uniform(-600, 600)); }
    double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine_); }
    std::string text() {
        static const char* const words[] = {"",
                                            "untagged",
                                            "order-cache",
                                            "/api/v2/orders",
                                            "quote\" back\\slash",
                                            "tab\tline\n",
                                            "Gr\xC3\xB6\xC3\x9F\x65",
                                            "\xF0\x9F\x90\x9B",
                                            "std::vector<int>",
                                            "a;b c"};
        auto word = std::string{words[below(std::size(words))]} + std::to_string(below(1000));
        if (chance(0.05)) { word += '\0'; }
        if (chance(0.05)) { word.append(below(300), 'x'); }
        return word;
    }
    trace_id trace() { return chance(0.3) ? trace_id{} : trace_id{engine_(), engine_()}; }

private:
    std::mt19937_64 engine_;
};

struct random_shape {
    std::size_t sites = 12;
    std::size_t records = 200;
};

inline sampled_totals random_totals(random_source& r) { return {r.amount(), r.amount(), r.amount(), r.amount(), r.number()}; }

inline site random_site(random_source& r, const snapshot& s) {
    site row;
    row.stack = static_cast<std::uint32_t>(r.below(s.stacks.size()));
    row.tag = static_cast<std::uint32_t>(r.below(s.tags.size()));
    row.type = r.text();
    row.allocated = random_totals(r);
    row.freed = random_totals(r);
    row.freed_by_other_thread = random_totals(r);
    std::uint64_t epoch = r.below(100);
    for (std::uint64_t i = r.below(5); i > 0; --i) {
        row.cohorts.push_back({epoch, r.amount(), r.amount(), r.chance(0.2)});
        epoch += 1 + r.below(9);
    }
    for (auto& objects : row.lifetimes.objects) { objects = r.amount(); }
    row.lifetimes.sum_seconds = r.amount();
    return row;
}

inline void add_random_code(random_source& r, snapshot& s) {
    for (int i = 0; i < 3; ++i) {
        s.modules.push_back({"/usr/lib/" + r.text(), r.chance(0.3) ? "" : "00ff" + std::to_string(r.number()), r.number(),
                             r.number(), r.number()});
    }
    for (int i = 0; i < 30; ++i) {
        frame row{r.chance(0.1) ? no_module : static_cast<std::uint32_t>(r.below(3)), r.number(), {}};
        for (std::uint64_t j = r.below(3); j > 0; --j) {
            row.lines.push_back(
                {r.text(), r.text(), static_cast<std::uint32_t>(r.number()), static_cast<std::uint32_t>(r.number())});
        }
        s.frames.push_back(row);
    }
    for (int i = 0; i < 10; ++i) {
        stack row{{}, r.chance(0.1)};
        for (std::uint64_t j = r.below(20); j > 0; --j) { row.frames.push_back(static_cast<std::uint32_t>(r.below(30))); }
        s.stacks.push_back(row);
    }
}

inline void add_random_names(random_source& r, snapshot& s) {
    for (int i = 0; i < 4; ++i) {
        const std::uint64_t bytes = r.number();
        const std::uint64_t count = r.number();
        s.tags.push_back(
            {r.text(), bytes, count, r.below(bytes + 1), r.below(count + 1), static_cast<double>(r.below(101)) / 100});
        s.routes.push_back(i == 0 ? "" : r.text());
        s.threads.push_back({r.text(), r.number(), r.chance(0.5)});
        s.pools.push_back({r.text(),   r.text(),   r.number(),
                           r.number(), r.number(), r.number(),
                           r.number(), r.number(), r.number(),
                           r.number(), r.text(),   r.chance(0.5),
                           r.number(), r.number(), r.number(),
                           r.number(), r.number(), r.number(),
                           r.trace(),  0,          static_cast<std::uint32_t>(r.below(s.frames.size() + 1))});
        s.pools.back().oldest_route = static_cast<std::uint32_t>(r.below(s.routes.size()));
        s.drops.push_back({r.text(), r.number()});
        s.degradations.push_back({r.text(), r.number()});
        s.self_bytes.push_back({r.text(), r.number()});
    }
}

inline void add_random_lifecycles(random_source& r, snapshot& s) {
    for (std::size_t i = 0; i < s.sites.size(); ++i) {
        if (r.chance(0.5)) { continue; }
        s.survivals.push_back(
            {static_cast<std::uint32_t>(i), random_totals(r), random_totals(r), random_totals(r), r.amount()});
    }
    for (std::size_t i = 0; i < s.sites.size(); i += 1 + r.below(3)) {
        s.examples.push_back({static_cast<std::uint32_t>(i), {r.number(), r.number()}, r.number(), r.number()});
    }
    for (int i = 0; i < 4; ++i) {
        s.hand_offs.push_back({r.text(), r.text(), r.number(), r.number(), random_totals(r)});
        s.activity.push_back({r.text(), r.number()});
    }
}

inline verdict random_verdict(random_source& r, verdict_subject subject, std::uint32_t index) {
    verdict row;
    row.subject = subject;
    row.index = index;
    row.kind = static_cast<verdict_class>(r.below(verdict_class_count));
    row.doubt = static_cast<verdict_doubt>(r.below(verdict_doubt_count));
    row.severity = static_cast<verdict_severity>(r.below(verdict_severity_count));
    row.is_exact = r.chance(0.5);
    for (double* const share : {&row.confidence, &row.kept_share, &row.kept_share_low, &row.kept_share_high, &row.escaped_share,
                                &row.other_thread_share}) {
        *share = r.uniform(0, 1);
    }
    for (double* const amount :
         {&row.retained_bytes, &row.retained_objects, &row.rate_error, &row.freed_objects, &row.follow_up}) {
        *amount = r.amount();
    }
    row.since_ns = r.number();
    row.decided_ns = r.number();
    row.looks = static_cast<std::uint32_t>(r.number());
    row.generations = static_cast<std::uint32_t>(r.number());
    row.rate_bytes_per_second = r.uniform(-1e9, 1e9);
    row.bytes_per_trace = r.uniform(-1e6, 1e6);
    for (std::size_t i = r.below(4); i < verdict_feature_count; i += 1 + r.below(4)) {
        row.features.push_back({static_cast<verdict_feature_kind>(i), r.uniform(-1e3, 1e3), r.uniform(-10, 10)});
    }
    return row;
}

inline void add_random_verdicts(random_source& r, snapshot& s) {
    const auto add = [&](verdict_subject subject, std::size_t rows) {
        for (std::size_t i = r.below(3); i < rows; i += 1 + r.below(3)) {
            s.verdicts.push_back(random_verdict(r, subject, static_cast<std::uint32_t>(i)));
        }
    };
    add(verdict_subject::site, s.sites.size());
    add(verdict_subject::pool, s.pools.size());
}

inline snapshot random_snapshot(random_source& r, random_shape shape = {}) {
    snapshot s;
    snapshot_info& info = s.info;
    for (std::string* const text : {&info.label, &info.service, &info.host, &info.executable, &info.version, &info.session}) {
        *text = r.text();
    }
    for (std::uint64_t* const number : {&info.pid, &info.started_unix_ns, &info.taken_ns, &info.epoch_ns, &info.first_epoch,
                                        &info.interval_bytes, &info.resident_bytes}) {
        *number = r.number();
    }
    s.info.exact_until_ns = s.info.taken_ns / 3;
    s.info.window_ns = s.info.taken_ns / 5;
    s.info.sampler = r.text();
    s.info.one_in = r.number();
    s.info.min_size_bytes = r.number();
    s.info.baseline_ns = s.info.taken_ns / 7;
    add_random_code(r, s);
    add_random_names(r, s);
    for (std::size_t i = 0; i < shape.sites; ++i) { s.sites.push_back(random_site(r, s)); }
    add_random_lifecycles(r, s);
    add_random_verdicts(r, s);
    std::uint64_t sequence = r.number() >> 1;
    for (std::size_t i = 0; i < shape.records && !s.sites.empty(); ++i) {
        live_record row;
        row.sequence = sequence += 1 + r.below(1000);
        row.size_bytes = r.number();
        row.birth_ns = r.number();
        row.interval_bytes = r.chance(0.2) ? 0 : 1ULL << r.below(30);
        row.trace = r.trace();
        row.site = static_cast<std::uint32_t>(r.below(s.sites.size()));
        row.route = static_cast<std::uint32_t>(r.below(s.routes.size()));
        row.thread = static_cast<std::uint32_t>(r.below(s.threads.size()));
        s.sites[row.site].live.add(row.size_bytes, row.interval_bytes);
        s.live.push_back(row);
    }
    return s;
}

// Field-by-field equality. `same(a, b)` for every struct of the model.
template <class T>
bool same(const T& a, const T& b) requires std::equality_comparable<T> {
    return a == b;
}

inline bool same(const trace_example& a, const trace_example& b) {
    const auto& [a1, a2, a3, a4] = a;
    const auto& [b1, b2, b3, b4] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4);
}

template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b);

template <std::size_t N>
bool same(const double (&a)[N], const double (&b)[N]) {
    return std::equal(a, a + N, b);
}

inline bool same(const named_value& a, const named_value& b) {
    const auto& [a1, a2] = a;
    const auto& [b1, b2] = b;
    return same(a1, b1) && same(a2, b2);
}
inline bool same(const stack& a, const stack& b) {
    const auto& [a1, a2] = a;
    const auto& [b1, b2] = b;
    return same(a1, b1) && same(a2, b2);
}
inline bool same(const lifetime_histogram& a, const lifetime_histogram& b) {
    const auto& [a1, a2] = a;
    const auto& [b1, b2] = b;
    return same(a1, b1) && same(a2, b2);
}
inline bool same(const source_line& a, const source_line& b) {
    const auto& [a1, a2, a3, a4] = a;
    const auto& [b1, b2, b3, b4] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4);
}
inline bool same(const frame& a, const frame& b) {
    const auto& [a1, a2, a3] = a;
    const auto& [b1, b2, b3] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3);
}
inline bool same(const thread_info& a, const thread_info& b) {
    const auto& [a1, a2, a3] = a;
    const auto& [b1, b2, b3] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3);
}
inline bool same(const cohort& a, const cohort& b) {
    const auto& [a1, a2, a3, a4] = a;
    const auto& [b1, b2, b3, b4] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4);
}
inline bool same(const module& a, const module& b) {
    const auto& [a1, a2, a3, a4, a5] = a;
    const auto& [b1, b2, b3, b4, b5] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4) && same(a5, b5);
}
inline bool same(const tag_totals& a, const tag_totals& b) {
    const auto& [a1, a2, a3, a4, a5, a6] = a;
    const auto& [b1, b2, b3, b4, b5, b6] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4) && same(a5, b5) && same(a6, b6);
}
inline bool same(const live_record& a, const live_record& b) {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8] = a;
    const auto& [b1, b2, b3, b4, b5, b6, b7, b8] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4) && same(a5, b5) && same(a6, b6) && same(a7, b7) &&
           same(a8, b8);
}
inline bool same(const site& a, const site& b) {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9] = a;
    const auto& [b1, b2, b3, b4, b5, b6, b7, b8, b9] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4) && same(a5, b5) && same(a6, b6) && same(a7, b7) &&
           same(a8, b8) && same(a9, b9);
}
inline bool same(const pool_totals& a, const pool_totals& b) {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21] = a;
    const auto& [b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, b20, b21] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4) && same(a5, b5) && same(a6, b6) && same(a7, b7) &&
           same(a8, b8) && same(a9, b9) && same(a10, b10) && same(a11, b11) && same(a12, b12) && same(a13, b13) &&
           same(a14, b14) && same(a15, b15) && same(a16, b16) && same(a17, b17) && same(a18, b18) && same(a19, b19) &&
           same(a20, b20) && same(a21, b21);
}
inline bool same(const snapshot_info& a, const snapshot_info& b) {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19] = a;
    const auto& [b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4) && same(a5, b5) && same(a6, b6) && same(a7, b7) &&
           same(a8, b8) && same(a9, b9) && same(a10, b10) && same(a11, b11) && same(a12, b12) && same(a13, b13) &&
           same(a14, b14) && same(a15, b15) && same(a16, b16) && same(a17, b17) && same(a18, b18) && same(a19, b19);
}

inline bool same(const survival& a, const survival& b) {
    const auto& [a1, a2, a3, a4, a5] = a;
    const auto& [b1, b2, b3, b4, b5] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4) && same(a5, b5);
}
inline bool same(const lifetime_example& a, const lifetime_example& b) {
    const auto& [a1, a2, a3, a4] = a;
    const auto& [b1, b2, b3, b4] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4);
}
inline bool same(const hand_off& a, const hand_off& b) {
    const auto& [a1, a2, a3, a4, a5] = a;
    const auto& [b1, b2, b3, b4, b5] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4) && same(a5, b5);
}
inline bool same(const verdict_feature& a, const verdict_feature& b) {
    const auto& [a1, a2, a3] = a;
    const auto& [b1, b2, b3] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3);
}
inline bool same(const verdict& a, const verdict& b) {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23,
                 a24] = a;
    const auto& [b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, b20, b21, b22, b23,
                 b24] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4) && same(a5, b5) && same(a6, b6) && same(a7, b7) &&
           same(a8, b8) && same(a9, b9) && same(a10, b10) && same(a11, b11) && same(a12, b12) && same(a13, b13) &&
           same(a14, b14) && same(a15, b15) && same(a16, b16) && same(a17, b17) && same(a18, b18) && same(a19, b19) &&
           same(a20, b20) && same(a21, b21) && same(a22, b22) && same(a23, b23) && same(a24, b24);
}

template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const T& x, const T& y) { return same(x, y); });
}

inline bool same(const snapshot& a, const snapshot& b) {
    const auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19] = a;
    const auto& [b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19] = b;
    return same(a1, b1) && same(a2, b2) && same(a3, b3) && same(a4, b4) && same(a5, b5) && same(a6, b6) && same(a7, b7) &&
           same(a8, b8) && same(a9, b9) && same(a10, b10) && same(a11, b11) && same(a12, b12) && same(a13, b13) &&
           same(a14, b14) && same(a15, b15) && same(a16, b16) && same(a17, b17) && same(a18, b18) && same(a19, b19);
}

}  // namespace memwatch_test
