// SPDX-License-Identifier: Apache-2.0
#pragma once
// A service: a load over the day and the sites that live by it. Nothing in the eight shapes leaks.
//
//   shape            load                        what is special (each has 160 sites of any service beside it; mixed: 500 in
//   all) web_cache        ramp, then even             50 LRU caches of Zipf keys, 4-256 MiB, full after 20 s - 2 h
//   session_store    ramp, then even             50 session tables, idle time 20 s - 30 min, with and without log-outs
//   diurnal_api      night to day, 1 to 4-19     pools at their high water, buffers of threads, lives up to minutes
//   batch_sawtooth   even                        50 gather-and-flush jobs, periods 20 s - 30 min
//   heavy_tailed     even                        50 sites of Pareto lives, shape 1.2-2.5
//   queue_bursts     even                        50 queues that fall behind in bursts and catch up
//   interner         ramp, then even             50 tables of words or labels that end growing, half known after 10 s - 20 min
//   mixed            ramp, stops of 1-10 min     some of each

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "behaviours.hpp"

namespace soak {

enum class shape : std::uint8_t {
    web_cache,
    session_store,
    diurnal_api,
    batch_sawtooth,
    heavy_tailed,
    queue_bursts,
    interner,
    mixed,
    first_fills,  // not one of the eight: sites that fill evenly for 1 to 60 minutes before they can release anything
};
inline constexpr std::array<std::string_view, 9> shape_names{"web_cache",      "session_store", "diurnal_api",
                                                             "batch_sawtooth", "heavy_tailed",  "queue_bursts",
                                                             "interner",       "mixed",         "first_fills"};
inline constexpr std::size_t clean_shapes = 8;

// Requests over time; 1 is the day's ordinary level.
class load_curve {
public:
    explicit load_curve(shape of, chance random);
    [[nodiscard]] double at(double time_s);

private:
    double ramp_s_;
    double swing_{0};  // of the day's sine
    double phase_s_{0};
    double noise_{0};  // logarithm, wanders
    double stops_every_{0};
    double stop_from_s_{never};
    double stop_to_s_{never};
    chance random_;
};

class service {
public:
    service(shape of, std::uint64_t seed, std::uint64_t interval_bytes, double epoch_s);

    // The leak's site number.
    std::size_t inject(double bytes_per_second, double lost_share, double from_s);

    void live_one_epoch();

    [[nodiscard]] double now_s() const { return now_.to_s; }
    [[nodiscard]] std::uint64_t completed_traces() const { return completed_traces_; }
    [[nodiscard]] const std::vector<std::unique_ptr<site>>& sites() const { return sites_; }

private:
    std::uint64_t interval_bytes_;
    double epoch_s_;
    chance random_;
    load_curve load_;
    stretch now_{};
    double traces_per_second_;
    std::uint64_t completed_traces_{0};
    std::vector<std::unique_ptr<site>> sites_;
};

}  // namespace soak
