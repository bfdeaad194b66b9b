// SPDX-License-Identifier: Apache-2.0
#pragma once
// Something that happened, in one sector: a word that says what, and a sentence. The last one tells how a life ended:
//
//   opened     the file begins                       verdict    a site or pool began or ceased to be accused
//   pressure   the level changed, or a limit was met  remedy     memwatch or the program did something about it
//   restraint  memwatch does less, or more again      end        the session ended in order; no such event: it was killed

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "blackbox/sector.hpp"

namespace memwatch {
inline namespace v1 {
namespace blackbox {

namespace event_names {
inline constexpr std::string_view opened = "opened";
inline constexpr std::string_view end = "end";
inline constexpr std::string_view pressure = "pressure";
inline constexpr std::string_view verdict = "verdict";
inline constexpr std::string_view remedy = "remedy";
inline constexpr std::string_view restraint = "restraint";
}  // namespace event_names

struct event {
    std::string_view name;
    std::string_view text;
};

// Into one sector's payload; the text is cut to what fits. Returns how much of `into` was filled.
[[nodiscard]] inline std::size_t encode(const event& from, char (&into)[sector_payload_bytes]) noexcept {
    const std::size_t name = from.name.copy(into, 32);
    into[name] = '\0';
    return name + 1 + from.text.copy(into + name + 1, sector_payload_bytes - name - 1);
}

// Points into `payload`. Nothing: there is no end to its name.
[[nodiscard]] inline std::optional<event> decode_event(std::string_view payload) noexcept {
    const std::size_t end = payload.find('\0');
    if (end == std::string_view::npos) { return std::nullopt; }
    return event{payload.substr(0, end), payload.substr(end + 1)};
}

}  // namespace blackbox
}  // namespace v1
}  // namespace memwatch
