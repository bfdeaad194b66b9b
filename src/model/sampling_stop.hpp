// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether a snapshot was taken while nothing was sampled: then what is estimated is what is left of the samples, and no more
// the heap. An activity row of the snapshot carries it, so that dumps, pages and the black box all say it. Pure functions.

#include <cstdint>
#include <string>

#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

enum class sampling_stop : std::uint8_t { none, paused, preset_off, counters_only, restrained_off };

// Where it is not `none`.
inline constexpr const char* sampling_stop_row = "sampling_stopped";

// "paused", "preset off", "restraint: counters_only", "restraint: off"; null: it samples, or nobody knows.
[[nodiscard]] inline const char* why_nothing_is_sampled(const snapshot& s) noexcept {
    constexpr const char* reasons[] = {nullptr, "paused", "preset off", "restraint: counters_only", "restraint: off"};
    constexpr std::uint64_t count = sizeof reasons / sizeof reasons[0];
    for (const named_value& each : s.activity) {
        if (each.name == sampling_stop_row) {
            return each.value < count ? reasons[each.value] : "for a reason of a newer memwatch";
        }
    }
    return nullptr;
}

// "nothing is sampled (paused): estimates are of what is left of the samples, not of the heap". Empty: it samples.
[[nodiscard]] inline std::string sampling_stop_words(const snapshot& s) {
    const char* const why = why_nothing_is_sampled(s);
    if (why == nullptr) { return {}; }
    return std::string("nothing is sampled (") + why + "): estimates are of what is left of the samples, not of the heap";
}

}  // namespace v1
}  // namespace memwatch
