// SPDX-License-Identifier: Apache-2.0
#pragma once
// A preset for a while: what is to be again when its time is over. A plain value that is told the time, so that a test's clock
// is as good as the real one; runtime/steering asks it.
//
//   on, R = 1 MiB --set preset=full for=5m--> full ........ 5 min ........> on, R = 1 MiB
//                                              | set preset=investigate        another term: 10 min, then on
//                                              | set preset=on                 by hand: the term is over
//                                              | set interval=64KiB            stays, also behind the end: by hand, too
//                                              | pause, resume                 time goes on; a paused process stays paused
//
// Threads: guarded by whoever holds it. Checked by tests/unit/settings/preset_term_test.cpp.

#include <cstdint>

#include "settings/chosen_options.hpp"

namespace memwatch {
inline namespace v1 {

class preset_term {
public:
    static constexpr std::uint64_t least_ns = 1'000'000;  // as investigate_for's range
    static constexpr std::uint64_t most_ns = 7ULL * 86'400 * 1'000'000'000;

    // `before` is what runs now, about to be replaced; a term that is running keeps what it was to go back to.
    void begin(const chosen_options& before, std::uint64_t now_ns, std::uint64_t for_ns) noexcept {
        if (!is_running()) {
            preset_ = before.preset;
            interval_bytes_ = before.interval_bytes;
            preset_origin_ = before.origin(option_id::preset);
            interval_origin_ = before.origin(option_id::interval_bytes);
        }
        ends_ns_ = now_ns + for_ns;
    }
    void cancel() noexcept { ends_ns_ = 0; }
    // Somebody chose this interval while it runs: it outlives the term.
    void keep_interval(const chosen_options& chosen) noexcept {
        interval_bytes_ = chosen.interval_bytes;
        interval_origin_ = chosen.origin(option_id::interval_bytes);
    }

    [[nodiscard]] bool is_running() const noexcept { return ends_ns_ != 0; }
    [[nodiscard]] bool is_over(std::uint64_t now_ns) const noexcept { return is_running() && now_ns >= ends_ns_; }
    [[nodiscard]] std::uint64_t ends_ns() const noexcept { return ends_ns_; }  // 0: none is running
    [[nodiscard]] std::uint64_t left_ns(std::uint64_t now_ns) const noexcept {
        return ends_ns_ > now_ns ? ends_ns_ - now_ns : 0;
    }
    [[nodiscard]] preset_option preset_after() const noexcept { return preset_; }
    [[nodiscard]] std::uint64_t interval_after() const noexcept { return interval_bytes_; }

    // Its end: `chosen` is again as it was before.
    void end(chosen_options& chosen) noexcept {
        chosen.preset = preset_;
        chosen.interval_bytes = interval_bytes_;
        chosen.set_origin(option_id::preset, preset_origin_);
        chosen.set_origin(option_id::interval_bytes, interval_origin_);
        cancel();
    }

private:
    std::uint64_t ends_ns_{0};
    std::uint64_t interval_bytes_{0};
    preset_option preset_{preset_option::on};
    option_origin preset_origin_{option_origin::standard};
    option_origin interval_origin_{option_origin::standard};
};

}  // namespace v1
}  // namespace memwatch
