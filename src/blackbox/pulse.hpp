// SPDX-License-Identifier: Apache-2.0
#pragma once
// The figures of one moment, in one sector: what the curve before an end is made of. Encoded as pairs of a number and a value,
// so that readers pass over what they do not know, and what is 0 takes no room. Made without allocating.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "blackbox/sector.hpp"
#include "model/memory_reading.hpp"

namespace memwatch {
inline namespace v1 {
namespace blackbox {

struct pulse {
    static constexpr std::size_t most_tags = 24;
    // Exact live bytes of a tag, by its number in the process; the dumps beside have the names.
    struct tag_bytes {
        std::uint64_t tag{};
        std::uint64_t live_bytes{};
    };

    memory_reading reading;
    pressure_level level{};
    std::optional<oom_forecast> forecast;
    std::uint64_t completed_traces{};  // since the process began
    std::uint64_t live_samples{};
    std::uint64_t leaks{};  // sites and pools accused now
    std::uint64_t suspects{};
    std::array<tag_bytes, most_tags> tags{};  // largest first; all fit beside figures below 2^56
    std::size_t tag_count{};
};

using pulse_bytes = std::array<unsigned char, sector_payload_bytes>;

// How much of `into` was filled. Tags that find no room are left out.
[[nodiscard]] std::size_t encode(const pulse& from, pulse_bytes& into) noexcept;

// Nothing: it ends in the middle of a number.
[[nodiscard]] std::optional<pulse> decode_pulse(std::string_view bytes) noexcept;

}  // namespace blackbox
}  // namespace v1
}  // namespace memwatch
