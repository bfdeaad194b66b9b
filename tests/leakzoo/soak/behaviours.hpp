// SPDX-License-Identifier: Apache-2.0
#pragma once
// What sites of real services do, one class each. Parameters are in bytes, bytes a second at load 1, and seconds (or, for what
// goes by the clock of work, seconds at load 1).

#include <cstdint>
#include <vector>

#include "lifetime.hpp"
#include "site.hpp"

namespace soak {

// Blocks that live independently of each other: of a request, of a connection, of a thread.
class churn : public site {
public:
    churn(const site_traits& traits, std::uint64_t interval_bytes, chance random, double bytes_per_second, lifetime life);

protected:
    void give_birth(const stretch& now) override;

private:
    double rate_;
    lifetime life_;
};

// Allocated once, between two moments, and kept: registries, code tables, singletons, also lazy ones.
class start_up : public site {
public:
    start_up(const site_traits& traits, std::uint64_t interval_bytes, chance random, double bytes, double from_s, double to_s);

protected:
    void give_birth(const stretch& now) override;

private:
    std::vector<double> births_;  // latest first
};

// Keys of Zipf popularity: `keys` of them, the k-th asked for in proportion to k^-skew; in bins of nearly equal popularity.
class zipf_keys {
public:
    zipf_keys(double keys, double skew);

    struct bin {
        double keys;
        double popularity;  // of one key; over all keys they sum to 1
    };
    [[nodiscard]] const std::vector<bin>& bins() const { return bins_; }
    // Requests after which this share of the keys has been asked for at least once, in expectation.
    [[nodiscard]] double requests_until(double seen_share) const;
    [[nodiscard]] double seen_after(double requests) const;  // share of the keys

private:
    std::vector<bin> bins_;
    double keys_;
};

// Least recently used goes. By Che's approximation an entry goes when it was not asked for during a time T, the one in which
// just as many keys as fit are asked for; a cache that starts empty is full at T, so warm-up is the same law. A key is missed
// at rate l exp(-l min(u, T)) at time u, l its rate of requests; how long it then stays is a sum of gaps shorter than T.
class recency_cache : public site {
public:
    recency_cache(const site_traits& traits, std::uint64_t interval_bytes, chance random, double capacity_bytes,
                  double held_share, double skew, double fill_s);

protected:
    // Full, and three samples were thrown out: where most keys are asked for again and again, that comes long after.
    [[nodiscard]] double fills_until_s() const override { return released_samples() < 3 ? never : full_at_s_; }
    void give_birth(const stretch& now) override;

private:
    [[nodiscard]] double misses(double window);  // a second of work; fills cumulative_
    [[nodiscard]] double draw_stay(double requests_rate);

    zipf_keys keys_;
    double requests_;  // a second of work
    double fill_;      // T
    double full_at_s_{never};
    std::vector<double> cumulative_;
    double steady_misses_{0};
};

// A key's first use creates what stays for good: interned words, metric labels. Ends when every key was seen.
class vocabulary : public site {
public:
    vocabulary(const site_traits& traits, std::uint64_t interval_bytes, chance random, double bytes, double skew,
               double half_known_s);

protected:
    [[nodiscard]] double fills_until_s() const override { return slower_at_s_; }
    void give_birth(const stretch& now) override;

private:
    zipf_keys keys_;
    double requests_;
    double first_rate_{0};
    double slower_at_s_{never};
};

// First in, first out, of a fixed capacity: a log ring, a bounded history. By the clock of work.
class ring : public site {
public:
    ring(const site_traits& traits, std::uint64_t interval_bytes, chance random, double bytes_per_second, double fill_s);

protected:
    [[nodiscard]] double fills_until_s() const override { return full_at_s_; }
    void give_birth(const stretch& now) override;

private:
    double rate_;
    double fill_;
    double full_at_s_{never};
};

// Sessions: some end by a log-out, the others when nothing was heard of them for `idle_s`, at the next sweep.
class sessions : public site {
public:
    struct shape {
        double bytes_per_second;
        double starts_s;
        double idle_s;
        double active_s;  // mean time from log-in to the last request
        double log_out_share;
        double log_out_s;  // mean
        double sweep_s;
    };
    sessions(const site_traits& traits, std::uint64_t interval_bytes, chance random, const shape& of);

protected:
    [[nodiscard]] double fills_from_s() const override { return shape_.starts_s; }
    // Some log out before, but the others cannot go yet: a share that is never freed, so far.
    [[nodiscard]] double fills_until_s() const override { return shape_.starts_s + shape_.idle_s + shape_.sweep_s; }
    void give_birth(const stretch& now) override;

private:
    [[nodiscard]] double draw_death(double birth_s);

    double rate_;
    shape shape_;
};

// Gathers for a while, then lets go of everything: reports, bulk writes, arenas of a job. Periods differ by +-`jitter`.
class batches : public site {
public:
    batches(const site_traits& traits, std::uint64_t interval_bytes, chance random, double bytes_per_second, double period_s,
            double gather_share, double jitter);

protected:
    [[nodiscard]] double fills_until_s() const override { return first_end_s_; }
    void give_birth(const stretch& now) override;

private:
    void next_batch(double from_s);

    double rate_;
    double period_;
    double gather_share_;
    double jitter_;
    double first_end_s_{0};
    double batch_from_s_{0};
    double batch_end_s_{0};
};

// The same amount again at each reload; the old generation goes a few seconds after the new one has come.
class reloads : public site {
public:
    reloads(const site_traits& traits, std::uint64_t interval_bytes, chance random, double bytes, double every_s);

protected:
    void give_birth(const stretch& now) override;

private:
    double blocks_;
    double every_;
    double next_s_{0};
};

// The one block behind a vector or a hash table: at each doubling the next one comes and the old one goes.
class doubling_table : public site {
public:
    doubling_table(const site_traits& traits, std::uint64_t interval_bytes, chance random, double first_bytes,
                   double last_bytes, double growth_s);

protected:
    void give_birth(const stretch& now) override;

private:
    double first_;
    double last_;
    double growth_;
    double held_{0};
};

// Work waits when more comes than workers take: bursts build a backlog, and each item waits for what is before it.
class work_queue : public site {
public:
    work_queue(const site_traits& traits, std::uint64_t interval_bytes, chance random, double bytes_per_second, double spare,
               double burst_every_s, double burst_s, double burst_factor);

protected:
    void give_birth(const stretch& now) override;

private:
    double rate_;
    double taken_;  // seconds of work at load 1 that the workers do a second
    double burst_every_;
    double burst_;
    double factor_;
    double backlog_s_{0};  // of work at load 1
    double burst_from_s_;
    double burst_to_s_;
};

// Keeps what was needed at the busiest moment so far: connection pools, buffers of threads.
class high_water : public site {
public:
    high_water(const site_traits& traits, std::uint64_t interval_bytes, chance random, double bytes_at_load_1);

protected:
    void give_birth(const stretch& now) override;

private:
    double wanted_;
    double held_{0};
};

// The injected leak: of what is born a share is lost, from a moment on; the rest lives briefly.
class leak : public site {
public:
    leak(const site_traits& traits, std::uint64_t interval_bytes, chance random, double lost_bytes_per_second,
         double lost_share, double from_s, lifetime rest);

protected:
    void give_birth(const stretch& now) override;

private:
    double lost_rate_;
    double other_rate_;
    double from_s_;
    lifetime rest_;
};

}  // namespace soak
