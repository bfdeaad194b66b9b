// SPDX-License-Identifier: Apache-2.0
#pragma once
// One look at a service as rows: what the live view remembers of a snapshot. Names are printable already, so nothing that is
// drawn can forget it.
//
//   snapshot (1 MiB of frames, records, sites)  ->  {by site, live 52 MiB, rows: {"orders::cache::insert", 52 MiB, 26,520 ..}}
//
// In: a validated snapshot. Out: plain values. Threads: any.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {
namespace top {

enum class dimension { site, tag, route, thread, type, pool };
inline constexpr std::size_t dimension_count = 6;

[[nodiscard]] const char* to_string(dimension by) noexcept;
[[nodiscard]] std::optional<dimension> parse_dimension(std::string_view text) noexcept;

// Whether a summary, which has no records, knows the rows at all.
[[nodiscard]] bool needs_records(dimension by) noexcept;

struct row {
    std::string key;  // the same at each look: a site's key, else the name
    std::string name;
    std::string tag, type, route;    // of sites; empty = unknown
    std::vector<std::string> stack;  // of sites: "function file:line", the allocating end first
    double live_bytes{};
    double live_variance{};                // of live_bytes; 0 = exact
    std::optional<double> churn_variance;  // of all that was ever allocated and freed here; sites only
    double objects{};
    std::optional<std::uint64_t> oldest_age_ns;
    std::optional<verdict_class> judged;  // of sites and pools; nothing: not yet, or the service does not judge
};

struct totals {
    double live_bytes{};
    double live_variance{};
    std::uint64_t drops{};
    std::uint64_t self_bytes{};
};

struct figures {
    dimension by{};
    bool has_records{};
    std::vector<row> rows;  // keys are unique
};

[[nodiscard]] totals add_up(const snapshot& s);

// Nothing when `s` is a summary and the rows need records.
[[nodiscard]] std::optional<figures> read_figures(const snapshot& s, dimension by);

}  // namespace top
}  // namespace v1
}  // namespace memwatch
