// SPDX-License-Identifier: Apache-2.0
#pragma once
// One place that allocates, as memwatch would see it: its sampled blocks that are alive, and its weighted totals.
//
// Only samples are simulated. Blocks of S bytes that are born as a Poisson process of rate r are sampled, each with probability
// p = 1 - exp(-S/R), as a Poisson process of rate r p (thinning is exact, not an approximation), so a day of a site of 1 MiB/s
// costs 86,400 draws at R = 1 MiB, and of those that do not outlive a look only the number is drawn (lifetime.hpp).
//
// Times are seconds since the start of the process. A block's end may also stand on the clock of work done (`clock::work`,
// the integral of the load): what is thrown out of a cache is thrown out by requests, not by time.

#include <cstdint>
#include <string_view>
#include <vector>

#include "chance.hpp"
#include "verdict/engine.hpp"

namespace soak {

inline constexpr double never = 1e300;

// The time between two looks. The load does not change meanwhile.
struct stretch {
    double from_s;
    double to_s;
    double load;  // 1 = what the site's rates are meant for
    double work_from;
    double work_to;

    [[nodiscard]] double length_s() const { return to_s - from_s; }
    [[nodiscard]] double work() const { return work_to - work_from; }
};

enum class clock : std::uint8_t { time, work };

struct block {
    double birth_s;
    double death;  // on the site's clock
    bool is_traced;
    bool is_lost;  // nobody will ever free it
    std::uint64_t size_bytes;
};

struct site_traits {
    std::string_view behaviour;
    std::uint64_t size_bytes{256};
    clock ends_by{clock::time};
    double traced_share{0};
    double other_thread_share{0};
};

class site {
public:
    site(const site_traits& traits, std::uint64_t interval_bytes, chance random);
    virtual ~site() = default;
    site(const site&) = delete;
    site& operator=(const site&) = delete;

    void live_through(const stretch& now);

    [[nodiscard]] std::string_view behaviour() const { return traits_.behaviour; }
    [[nodiscard]] const std::vector<block>& alive() const { return alive_; }
    [[nodiscard]] const memwatch::site_totals& totals() const { return totals_; }
    [[nodiscard]] std::uint64_t lost_samples() const { return lost_samples_; }
    [[nodiscard]] std::uint64_t released_samples() const { return totals_.freed.samples; }
    // It has been filling evenly for longer than a minute and could not have released anything yet: so far its history is that
    // of a leak.
    [[nodiscard]] bool is_in_first_fill(double now_s) const { return now_s > fills_from_s() + 60 && now_s < fills_until_s(); }

protected:
    [[nodiscard]] virtual double fills_from_s() const { return 0; }
    [[nodiscard]] virtual double fills_until_s() const { return 0; }  // 0 = releases from the beginning

    // What is born in this stretch: begin() for blocks that are alive at its end, pass() for those that are not.
    virtual void give_birth(const stretch& now) = 0;

    void begin(double birth_s, double death, bool is_lost = false) { begin(birth_s, death, traits_.size_bytes, is_lost); }
    void begin(double birth_s, double death, std::uint64_t size_bytes, bool is_lost);
    void pass(std::uint64_t blocks);
    // Born at `birth_s` with an end: alive or gone, by the clock at the end of this stretch.
    void begin_or_pass(const stretch& now, double birth_s, double death);
    void end_all();

    [[nodiscard]] double end_clock(const stretch& now) const { return traits_.ends_by == clock::time ? now.to_s : now.work_to; }
    [[nodiscard]] std::uint64_t size_bytes() const { return traits_.size_bytes; }
    [[nodiscard]] double sampled_share(std::uint64_t size_bytes) const;
    [[nodiscard]] double sampled_share() const { return sampled_share(traits_.size_bytes); }
    // Sampled births a second at `bytes_per_second`.
    [[nodiscard]] double sampled_rate(double bytes_per_second) const;
    [[nodiscard]] chance& random() { return random_; }

private:
    void end(const block& gone);

    site_traits traits_;
    std::uint64_t interval_bytes_;
    chance random_;
    std::vector<block> alive_;
    memwatch::site_totals totals_{};
    std::uint64_t lost_samples_{0};
};

}  // namespace soak
