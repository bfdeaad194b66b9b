// SPDX-License-Identifier: Apache-2.0
#include "behaviours.hpp"

#include <algorithm>
#include <cmath>

namespace soak {
namespace {

// `count` moments of a stretch, each as likely as any other.
template <class Action>
void at_random_moments(const stretch& now, std::uint64_t count, chance& random, Action action) {
    for (std::uint64_t i = 0; i < count; ++i) { action(random.between(now.from_s, now.to_s)); }
}

double work_at(const stretch& now, double time_s) { return now.work_from + (time_s - now.from_s) * now.load; }

// When the clock of work passes `work`, if it does within this stretch.
double time_of_work(const stretch& now, double work) {
    return now.load > 0 && work <= now.work_to ? now.from_s + (work - now.work_from) / now.load : never;
}

}  // namespace

churn::churn(const site_traits& traits, std::uint64_t interval_bytes, chance random, double bytes_per_second, lifetime life)
    : site(traits, interval_bytes, std::move(random)), rate_(sampled_rate(bytes_per_second)), life_(life) {}

void churn::give_birth(const stretch& now) {
    const double alive = life_.alive_integral(now.length_s());
    const std::uint64_t stay = random().poisson(rate_ * now.load * alive);
    for (std::uint64_t i = 0; i < stay; ++i) {
        const double age = life_.draw_age(now.length_s(), random());
        begin(now.to_s - age, now.to_s + life_.draw_rest(age, random()));
    }
    pass(random().poisson(rate_ * now.load * (now.length_s() - alive)));
}

start_up::start_up(const site_traits& traits, std::uint64_t interval_bytes, chance draws, double bytes, double from_s,
                   double to_s)
    : site(traits, interval_bytes, std::move(draws)) {
    births_.resize(random().poisson(sampled_rate(bytes)));
    for (double& each : births_) { each = random().between(from_s, to_s); }
    std::sort(births_.rbegin(), births_.rend());
}

void start_up::give_birth(const stretch& now) {
    for (; !births_.empty() && births_.back() <= now.to_s; births_.pop_back()) { begin(births_.back(), never); }
}

zipf_keys::zipf_keys(double keys, double skew) : keys_(std::max(1.0, std::floor(keys))) {
    double sum = 0;
    for (double from = 1; from <= keys_;) {
        const double past = std::min(keys_ + 1, std::max(from + 1, std::floor(from * 1.25)));
        const double popularity = std::pow((from + past - 1) / 2, -skew);
        bins_.push_back({past - from, popularity});
        sum += (past - from) * popularity;
        from = past;
    }
    for (bin& each : bins_) { each.popularity /= sum; }
}

double zipf_keys::seen_after(double requests) const {
    double seen = 0;
    for (const bin& each : bins_) { seen -= each.keys * std::expm1(-requests * each.popularity); }
    return seen / keys_;
}

double zipf_keys::requests_until(double seen_share) const {
    double low = 0;
    double high = keys_;
    while (seen_after(high) < seen_share) { high *= 2; }
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        (seen_after(middle) < seen_share ? low : high) = middle;
    }
    return high;
}

recency_cache::recency_cache(const site_traits& traits, std::uint64_t interval_bytes, chance draws, double capacity_bytes,
                             double held_share, double skew, double fill_s)
    : site(traits, interval_bytes, std::move(draws)),
      keys_(capacity_bytes / static_cast<double>(size_bytes()) / held_share, skew),
      requests_(keys_.requests_until(held_share) / fill_s),
      fill_(fill_s),
      cumulative_(keys_.bins().size()) {}

double recency_cache::misses(double window) {
    double sum = 0;
    for (std::size_t i = 0; i < cumulative_.size(); ++i) {
        const zipf_keys::bin& each = keys_.bins()[i];
        const double rate = requests_ * each.popularity;
        sum += each.keys * rate * std::exp(-rate * window);
        cumulative_[i] = sum;
    }
    return sum;
}

double recency_cache::draw_stay(double requests_rate) {
    constexpr double longer_than_any_run = 1e7;
    if (requests_rate * fill_ > 12) { return longer_than_any_run; }
    double stay = 0;
    while (stay < longer_than_any_run) {
        const double gap = random().exponential(1 / requests_rate);
        if (gap >= fill_) { break; }
        stay += gap;
    }
    return stay + fill_;
}

void recency_cache::give_birth(const stretch& now) {
    if (now.work_from < fill_) {
        steady_misses_ = misses(std::min(fill_, (now.work_from + now.work_to) / 2));
        full_at_s_ = std::min(full_at_s_, time_of_work(now, fill_));
    } else if (full_at_s_ < now.to_s && steady_misses_ > 0) {
        steady_misses_ = misses(fill_);
    }
    const std::uint64_t born = random().poisson(steady_misses_ * now.work() * sampled_share());
    at_random_moments(now, born, random(), [&](double birth_s) {
        const auto bin = std::lower_bound(cumulative_.begin(), cumulative_.end(), random().unit() * cumulative_.back());
        const double rate = requests_ * keys_.bins()[static_cast<std::size_t>(bin - cumulative_.begin())].popularity;
        begin_or_pass(now, birth_s, work_at(now, birth_s) + draw_stay(rate));
    });
}

vocabulary::vocabulary(const site_traits& traits, std::uint64_t interval_bytes, chance draws, double bytes, double skew,
                       double half_known_s)
    : site(traits, interval_bytes, std::move(draws)),
      keys_(bytes / static_cast<double>(size_bytes()), skew),
      requests_(keys_.requests_until(0.5) / half_known_s) {}

void vocabulary::give_birth(const stretch& now) {
    const double middle = (now.work_from + now.work_to) / 2 * requests_;
    double rate = 0;  // of keys that were never asked for
    for (const zipf_keys::bin& each : keys_.bins()) {
        rate += each.keys * requests_ * each.popularity * std::exp(-middle * each.popularity);
    }
    if (now.work_from == 0) { first_rate_ = rate; }
    if (rate < first_rate_ / 2) { slower_at_s_ = std::min(slower_at_s_, now.to_s); }
    at_random_moments(now, random().poisson(rate * now.work() * sampled_share()), random(),
                      [&](double birth_s) { begin(birth_s, never); });
}

ring::ring(const site_traits& traits, std::uint64_t interval_bytes, chance draws, double bytes_per_second, double fill_s)
    : site(traits, interval_bytes, std::move(draws)), rate_(sampled_rate(bytes_per_second)), fill_(fill_s) {}

void ring::give_birth(const stretch& now) {
    full_at_s_ = std::min(full_at_s_, time_of_work(now, fill_));
    at_random_moments(now, random().poisson(rate_ * now.work()), random(),
                      [&](double birth_s) { begin_or_pass(now, birth_s, work_at(now, birth_s) + fill_); });
}

sessions::sessions(const site_traits& traits, std::uint64_t interval_bytes, chance draws, const shape& of)
    : site(traits, interval_bytes, std::move(draws)), rate_(sampled_rate(of.bytes_per_second)), shape_(of) {}

double sessions::draw_death(double birth_s) {
    const bool logs_out = random().with(shape_.log_out_share);
    if (logs_out) { return birth_s + random().exponential(shape_.log_out_s); }
    const double idle_since = birth_s + (shape_.active_s > 0 ? random().exponential(shape_.active_s) : 0);
    return std::ceil((idle_since + shape_.idle_s) / shape_.sweep_s) * shape_.sweep_s;
}

void sessions::give_birth(const stretch& now) {
    if (now.from_s < shape_.starts_s) { return; }
    at_random_moments(now, random().poisson(rate_ * now.work()), random(),
                      [&](double birth_s) { begin_or_pass(now, birth_s, draw_death(birth_s)); });
}

batches::batches(const site_traits& traits, std::uint64_t interval_bytes, chance draws, double bytes_per_second,
                 double period_s, double gather_share, double jitter)
    : site(traits, interval_bytes, std::move(draws)),
      rate_(sampled_rate(bytes_per_second)),
      period_(period_s),
      gather_share_(gather_share),
      jitter_(jitter) {
    next_batch(0);
    first_end_s_ = batch_end_s_;
}

void batches::next_batch(double from_s) {
    batch_from_s_ = from_s;
    batch_end_s_ = from_s + period_ * random().between(1 - jitter_, 1 + jitter_);
}

void batches::give_birth(const stretch& now) {
    for (double from = now.from_s; from < now.to_s;) {
        const double gathered_s = batch_from_s_ + (batch_end_s_ - batch_from_s_) * gather_share_;
        const double to = std::min(now.to_s, batch_end_s_);
        const double open_s = std::max(0.0, std::min(to, gathered_s) - from);
        const std::uint64_t born = random().poisson(rate_ * now.load * open_s);
        for (std::uint64_t i = 0; i < born; ++i) { begin_or_pass(now, random().between(from, from + open_s), batch_end_s_); }
        if (batch_end_s_ <= now.to_s) { next_batch(batch_end_s_); }
        from = to;
    }
}

reloads::reloads(const site_traits& traits, std::uint64_t interval_bytes, chance draws, double bytes, double every_s)
    : site(traits, interval_bytes, std::move(draws)),
      blocks_(bytes / static_cast<double>(size_bytes())),
      every_(every_s),
      next_s_(random().between(0, 20)) {}

void reloads::give_birth(const stretch& now) {
    for (; next_s_ <= now.to_s; next_s_ += every_) {
        const std::uint64_t born = random().poisson(blocks_ * sampled_share());
        const double overlap_s = random().between(1, 5);
        for (std::uint64_t i = 0; i < born; ++i) { begin_or_pass(now, next_s_, next_s_ + every_ + overlap_s); }
    }
}

doubling_table::doubling_table(const site_traits& traits, std::uint64_t interval_bytes, chance draws, double first_bytes,
                               double last_bytes, double growth_s)
    : site(traits, interval_bytes, std::move(draws)), first_(first_bytes), last_(last_bytes), growth_(growth_s) {}

void doubling_table::give_birth(const stretch& now) {
    const double wanted = first_ + (last_ - first_) * -std::expm1(-now.work_to / growth_);
    if (held_ >= wanted) { return; }
    held_ = first_ * std::exp2(std::ceil(std::log2(wanted / first_)));
    end_all();
    const auto bytes = static_cast<std::uint64_t>(held_);
    if (random().with(sampled_share(bytes))) { begin(random().between(now.from_s, now.to_s), never, bytes, false); }
}

work_queue::work_queue(const site_traits& traits, std::uint64_t interval_bytes, chance draws, double bytes_per_second,
                       double spare, double burst_every_s, double burst_s, double burst_factor)
    : site(traits, interval_bytes, std::move(draws)),
      rate_(sampled_rate(bytes_per_second)),
      taken_(1 + spare),
      burst_every_(burst_every_s),
      burst_(burst_s),
      factor_(burst_factor),
      burst_from_s_(random().exponential(burst_every_s)),
      burst_to_s_(burst_from_s_ + random().exponential(burst_s)) {}

void work_queue::give_birth(const stretch& now) {
    constexpr double step_s = 1;
    for (double from = now.from_s; from < now.to_s; from += step_s) {
        const double length = std::min(step_s, now.to_s - from);
        const bool is_burst = from >= burst_from_s_ && from < burst_to_s_;
        const double coming = now.load * (is_burst ? factor_ : 1);
        const double before = backlog_s_;
        backlog_s_ = std::max(0.0, backlog_s_ + (coming - taken_) * length);
        const std::uint64_t born = random().poisson(rate_ * coming * length);
        for (std::uint64_t i = 0; i < born; ++i) {
            const double part = random().unit();
            const double wait_s = (before + (backlog_s_ - before) * part) / taken_ + random().exponential(0.05);
            begin_or_pass(now, from + part * length, from + part * length + wait_s);
        }
        if (from + length >= burst_to_s_) {
            burst_from_s_ = burst_to_s_ + random().exponential(burst_every_);
            burst_to_s_ = burst_from_s_ + random().exponential(burst_);
        }
    }
}

high_water::high_water(const site_traits& traits, std::uint64_t interval_bytes, chance draws, double bytes_at_load_1)
    : site(traits, interval_bytes, std::move(draws)), wanted_(bytes_at_load_1 / static_cast<double>(size_bytes())) {}

void high_water::give_birth(const stretch& now) {
    const double mean = wanted_ * now.load;
    const double wanted = std::floor(std::max(0.0, mean + std::sqrt(mean) * random().normal()));
    if (wanted <= held_) { return; }
    const std::uint64_t born = random().poisson((wanted - held_) * sampled_share());
    held_ = wanted;
    at_random_moments(now, born, random(), [&](double birth_s) { begin(birth_s, never); });
}

leak::leak(const site_traits& traits, std::uint64_t interval_bytes, chance draws, double lost_bytes_per_second,
           double lost_share, double from_s, lifetime rest)
    : site(traits, interval_bytes, std::move(draws)),
      lost_rate_(sampled_rate(lost_bytes_per_second)),
      other_rate_(lost_rate_ * (1 - lost_share) / lost_share),
      from_s_(from_s),
      rest_(rest) {}

void leak::give_birth(const stretch& now) {
    const double alive = rest_.alive_integral(now.length_s());
    const std::uint64_t stay = random().poisson(other_rate_ * now.load * alive);
    for (std::uint64_t i = 0; i < stay; ++i) {
        const double age = rest_.draw_age(now.length_s(), random());
        begin(now.to_s - age, now.to_s + rest_.draw_rest(age, random()));
    }
    pass(random().poisson(other_rate_ * now.load * (now.length_s() - alive)));
    if (now.from_s < from_s_) { return; }
    at_random_moments(now, random().poisson(lost_rate_ * now.work()), random(),
                      [&](double birth_s) { begin(birth_s, never, true); });
}

}  // namespace soak
