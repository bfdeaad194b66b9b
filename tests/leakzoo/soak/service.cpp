// SPDX-License-Identifier: Apache-2.0
#include "service.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace soak {
namespace {

constexpr double kib = 1024;
constexpr double mib = 1024 * kib;
constexpr double minute = 60;
constexpr double hour = 3600;
constexpr double day = 24 * hour;

// Adds sites of a kind with drawn parameters.
class builder {
public:
    builder(std::vector<std::unique_ptr<site>>& sites, std::uint64_t interval_bytes, chance& random)
        : sites_(sites), interval_bytes_(interval_bytes), random_(random) {}

    void any_service() {
        many(105, &builder::request_scoped);
        many(25, &builder::made_at_start);
        many(5, &builder::made_lazily);
        many(10, &builder::table);
        many(5, &builder::of_threads);
        many(5, &builder::log_ring);
        many(5, &builder::configuration);
    }

    void many(int count, void (builder::*kind)()) {
        for (int i = 0; i < count; ++i) { (this->*kind)(); }
    }

    void request_scoped() {
        const site_traits traits = of("request", random_.log_between(32, 64 * kib), 0.9);
        add<churn>(traits, random_.log_between(kib, 4 * mib), lifetime::exponential(random_.log_between(0.001, 10)));
    }
    void made_at_start() {
        const double from_s = random_.between(0, 5);
        const double bytes = random_.log_between(4 * kib, 32 * mib);
        add<start_up>(of("start-up", random_.log_between(32, 256 * kib), 0), bytes, from_s, from_s + random_.between(1, 35));
    }
    void made_lazily() {
        const double from_s = random_.log_between(minute, 20 * hour);
        const double bytes = random_.log_between(4 * kib, 64 * mib);
        add<start_up>(of("lazy table", random_.log_between(32, 64 * kib), 0.5), bytes, from_s,
                      from_s + random_.log_between(1, 50));
    }
    void table() {
        const double last = random_.log_between(64 * kib, 128 * mib);
        add<doubling_table>(of("table", kib, 0.5), random_.log_between(512, 4 * kib), last, random_.log_between(10, 4 * hour));
    }
    void of_threads() {
        const double life_s = random_.log_between(30, 20 * minute);
        const double live_bytes = random_.log_between(256 * kib, 32 * mib);
        add<churn>(of("thread", random_.log_between(256, 64 * kib), 0), live_bytes / life_s, lifetime::exponential(life_s));
    }
    void log_ring() {
        const double fill_s = random_.log_between(5, 60);
        add<ring>(of("ring", random_.log_between(64, 4 * kib), 0.5, clock::work), random_.log_between(mib, 32 * mib) / fill_s,
                  fill_s);
    }
    void configuration() {
        add<reloads>(of("configuration", random_.log_between(64, 16 * kib), 0), random_.log_between(64 * kib, 32 * mib),
                     random_.log_between(2 * minute, 2 * hour));
    }
    void cache() {
        const site_traits traits = of("LRU cache", random_.log_between(512, 64 * kib), 0.9, clock::work);
        add<recency_cache>(traits, random_.log_between(4 * mib, 256 * mib), random_.log_between(0.02, 0.7),
                           random_.between(0.6, 1.1), random_.log_between(20, 2 * hour));
    }
    void session_table() {
        sessions::shape as{};
        as.idle_s = random_.log_between(20, 30 * minute);
        const bool has_log_outs = as.idle_s > minute || random_.with(0.5);
        as.log_out_share = has_log_outs ? random_.between(0.2, 0.9) : 0;
        as.log_out_s = as.idle_s * random_.log_between(0.1, 0.5);
        as.active_s = random_.with(0.5) ? as.idle_s * random_.between(0.05, 1) : 0;
        as.sweep_s = random_.log_between(0.1, std::min(minute, as.idle_s / 2));
        as.starts_s = random_.with(0.8) ? 0 : random_.between(0, 2 * hour);
        as.bytes_per_second = random_.log_between(mib, 128 * mib) / as.idle_s;
        add<sessions>(of("sessions", random_.log_between(256, 16 * kib), 1), as);
    }
    void pool() {
        add<high_water>(of("high water", random_.log_between(4 * kib, 256 * kib), 0.5), random_.log_between(mib, 64 * mib));
    }
    void long_lived() {
        const double life_s = random_.log_between(1, 10 * minute);
        const double live_bytes = random_.log_between(256 * kib, 64 * mib);
        add<churn>(of("long-lived", random_.log_between(128, 64 * kib), 0.8), live_bytes / life_s,
                   lifetime::exponential(life_s));
    }
    void batch() {
        const double period_s = random_.log_between(20, 30 * minute);
        add<batches>(of("batch", random_.log_between(64, 64 * kib), 0.3), random_.log_between(mib, 128 * mib) / period_s,
                     period_s, random_.between(0.3, 1), random_.between(0, 0.3));
    }
    void pareto() {
        const double scale_s = random_.log_between(0.5, 60);
        const double exponent = random_.between(1.2, 2.5);
        const double live_bytes = random_.log_between(mib, 128 * mib);
        add<churn>(of("Pareto", random_.log_between(128, 32 * kib), 0.8), live_bytes * (exponent - 1) / scale_s,
                   lifetime::lomax(scale_s, exponent));
    }
    // Over the day bursts take a third of the workers' spare time at most: every backlog is worked off.
    void queue() {
        const double burst_s = random_.log_between(5, minute);
        const double spare = random_.between(0.15, 1);
        const double factor = random_.between(2, 6);
        const double burst_every_s = burst_s * (factor - 1) / spare * random_.log_between(3, 30);
        add<work_queue>(of("queue", random_.log_between(128, 16 * kib), 1), random_.log_between(32 * kib, mib), spare,
                        burst_every_s, burst_s, factor);
    }
    void words() {
        const site_traits traits = of("vocabulary", random_.log_between(64, 4 * kib), 0.7, clock::work);
        add<vocabulary>(traits, random_.log_between(mib, 128 * mib), random_.between(0.5, 1.2),
                        random_.log_between(10, 20 * minute));
    }

    // What nobody could tell from a leak before it releases for the first time: see shape::first_fills.
    void first_fills(double from_minutes) {
        const double fill_s = from_minutes * minute;
        for (const double rate : {0.1 * mib, 0.5 * mib, 2 * mib}) {
            const double size = random_.log_between(256, 16 * kib);
            sessions::shape as{};
            as.idle_s = fill_s;
            as.sweep_s = 1;
            as.bytes_per_second = rate;
            add<sessions>(of("TTL, even", size, 1), as);
            as.starts_s = 2 * hour;
            add<sessions>(of("TTL, even, late", size, 1), as);
            add<ring>(of("FIFO, even", size, 0.5, clock::work), rate, fill_s);
            add<batches>(of("batch, even", size, 0.3), rate, fill_s, 1, 0);
            add<recency_cache>(of("LRU, Zipf 0.9", size, 0.9, clock::work), rate * fill_s, 0.2, 0.9, fill_s);
            add<vocabulary>(of("vocabulary", size, 0.7, clock::work), rate * fill_s, 0.8, fill_s / 4);
        }
    }

private:
    [[nodiscard]] site_traits of(std::string_view behaviour, double size, double traced_share, clock ends_by = clock::time) {
        const double other_thread_share = random_.with(0.3) ? random_.unit() : 0;
        return {behaviour, static_cast<std::uint64_t>(size), ends_by, traced_share, other_thread_share};
    }
    template <class Behaviour, class... Parameters>
    void add(const site_traits& traits, Parameters... parameters) {
        sites_.push_back(std::make_unique<Behaviour>(traits, interval_bytes_, random_.fork(), parameters...));
    }

    std::vector<std::unique_ptr<site>>& sites_;
    std::uint64_t interval_bytes_;
    chance& random_;
};

void add_sites(shape of, builder& sites) {
    if (of == shape::first_fills) {
        for (const double minutes : {1, 2, 5, 10, 30, 60}) { sites.first_fills(minutes); }
        return;
    }
    sites.any_service();
    switch (of) {
        case shape::web_cache:
            sites.many(50, &builder::cache);
            break;
        case shape::session_store:
            sites.many(50, &builder::session_table);
            break;
        case shape::diurnal_api:
            sites.many(20, &builder::pool);
            sites.many(30, &builder::long_lived);
            break;
        case shape::batch_sawtooth:
            sites.many(50, &builder::batch);
            break;
        case shape::heavy_tailed:
            sites.many(50, &builder::pareto);
            break;
        case shape::queue_bursts:
            sites.many(50, &builder::queue);
            break;
        case shape::interner:
            sites.many(50, &builder::words);
            break;
        case shape::mixed:
            sites.any_service();
            for (const auto kind : {&builder::cache, &builder::session_table, &builder::pool, &builder::long_lived,
                                    &builder::batch, &builder::pareto, &builder::queue, &builder::words, &builder::table}) {
                sites.many(20, kind);
            }
            break;
        case shape::first_fills:
            break;
    }
}

}  // namespace

load_curve::load_curve(shape of, chance random) : ramp_s_(0), random_(std::move(random)) {
    const bool has_ramp = of == shape::web_cache || of == shape::session_store || of == shape::interner || of == shape::mixed;
    if (has_ramp) { ramp_s_ = random_.log_between(5, 300); }
    if (of == shape::diurnal_api) {
        swing_ = random_.between(0.6, 0.9);
        phase_s_ = random_.between(0, day);
    }
    if (of == shape::mixed) {
        stops_every_ = 3 * hour;
        stop_from_s_ = random_.exponential(stops_every_);
        stop_to_s_ = stop_from_s_ + random_.log_between(minute, 10 * minute);
    }
}

double load_curve::at(double time_s) {
    if (time_s >= stop_to_s_) {
        stop_from_s_ = time_s + random_.exponential(stops_every_);
        stop_to_s_ = stop_from_s_ + random_.log_between(minute, 10 * minute);
    }
    if (time_s >= stop_from_s_) { return 0; }
    noise_ = 0.9 * noise_ + 0.05 * random_.normal();  // 11 % in the long run
    const double ramp = time_s < ramp_s_ ? (time_s + 1) / (ramp_s_ + 1) : 1;
    const double hours = 1 + swing_ * std::sin(2 * std::numbers::pi * (time_s + phase_s_) / day);
    return ramp * hours * std::exp(noise_);
}

service::service(shape of, std::uint64_t seed, std::uint64_t interval_bytes, double epoch_s)
    : interval_bytes_(interval_bytes),
      epoch_s_(epoch_s),
      random_(seed * 1'000'003 + static_cast<std::uint64_t>(of)),
      load_(of, random_.fork()),
      traces_per_second_(random_.log_between(20, 2000)) {
    builder sites(sites_, interval_bytes_, random_);
    add_sites(of, sites);
}

std::size_t service::inject(double bytes_per_second, double lost_share, double from_s) {
    const site_traits traits{"leak", static_cast<std::uint64_t>(random_.log_between(64, 16 * kib)), clock::time, 0.9, 0};
    const lifetime rest = lifetime::exponential(random_.log_between(0.01, 2));
    sites_.push_back(
        std::make_unique<leak>(traits, interval_bytes_, random_.fork(), bytes_per_second, lost_share, from_s, rest));
    return sites_.size() - 1;
}

void service::live_one_epoch() {
    now_.from_s = now_.to_s;
    now_.to_s += epoch_s_;
    now_.load = load_.at(now_.from_s);
    now_.work_from = now_.work_to;
    now_.work_to += now_.load * epoch_s_;
    completed_traces_ += random_.poisson(traces_per_second_ * now_.work());
    for (const auto& each : sites_) { each->live_through(now_); }
}

}  // namespace soak
