// SPDX-License-Identifier: Apache-2.0
#include "runtime/tasks/restraint_rules.hpp"

#include <algorithm>

namespace memwatch {
inline namespace v1 {
namespace {

restraint_step next(restraint_step from, int by) noexcept { return static_cast<restraint_step>(static_cast<int>(from) + by); }

}  // namespace

void restraint_rules::begin(const limits& wanted, const reading& now) noexcept {
    *this = {};
    limits_ = wanted;
    window_ = now;
    since_ns_ = now.now_ns;
}

restraint_cause restraint_rules::breached(const reading& now) const noexcept {
    if (limits_.most_bytes != 0 && now.self_bytes > limits_.most_bytes) { return restraint_cause::bytes; }
    const double allowed = limits_.cpus * limits_.most_permille / 1000;
    return limits_.most_permille != 0 && cpu_share_ > allowed ? restraint_cause::cpu : restraint_cause::none;
}

bool restraint_rules::has_room(const reading& now) const noexcept {
    if (limits_.most_bytes != 0 && now.self_bytes >= limits_.most_bytes / 8 * 7) { return false; }
    return limits_.most_permille == 0 || cpu_share_ < limits_.cpus * limits_.most_permille / 2000;
}

bool restraint_rules::update(const reading& now) noexcept {
    if (now.now_ns < window_.now_ns + window_ns) { return false; }
    const std::uint64_t spent_ns = now.self_ns - std::min(now.self_ns, window_.self_ns);
    cpu_share_ = static_cast<double>(spent_ns) / static_cast<double>(now.now_ns - window_.now_ns);
    window_ = now;
    const restraint_step before = step_;
    if (const restraint_cause why = breached(now); why != restraint_cause::none) {
        tighten(now, why);
    } else if (!has_room(now)) {
        since_ns_ = now.now_ns;
    } else if (now.now_ns - since_ns_ >= hold_ns_) {
        ease(now);
    }
    return step_ != before;
}

void restraint_rules::tighten(const reading& now, restraint_cause why) noexcept {
    if (eased_ns_ != 0 && now.now_ns - eased_ns_ < trial_ns) {
        hold_ns_ = std::min(2 * hold_ns_, longest_hold_ns);
        eased_ns_ = 0;  // one failed trial doubles it once, however many steps follow
    }
    since_ns_ = now.now_ns;
    cause_ = why;
    if (step_ != restraint_step::off) { step_ = next(step_, 1); }
}

void restraint_rules::ease(const reading& now) noexcept {
    if (step_ == restraint_step::none) {
        if (now.now_ns - since_ns_ >= longest_hold_ns) { hold_ns_ = first_hold_ns; }
        return;
    }
    step_ = next(step_, -1);
    since_ns_ = now.now_ns;
    eased_ns_ = now.now_ns;
    if (step_ == restraint_step::none) { cause_ = restraint_cause::none; }
}

}  // namespace v1
}  // namespace memwatch
