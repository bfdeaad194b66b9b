// SPDX-License-Identifier: Apache-2.0
#pragma once
// The alert of a gate: MemoryRegressionBlock. Its labels are of two kinds.
//
//   who is judged   alertname, service, slo_id, the user's own: the same in each run of one gate, its identity
//   what was found  severity, site, function, tag: of the worst finding, and another one tomorrow
//
// A run that fails posts its finding and ends every other alert of the same identity; a run that passes ends them all. The
// alerts of another gate, whose identity has a label more or less, are left alone.
//
// In: labels, what Alertmanager has, the time. Out: what to post. Threads: any; no clock, no state.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "notify/alert.hpp"

namespace memwatch::inline v1::notify {

inline constexpr const char* regression_alert_name = "MemoryRegressionBlock";

// What one run has to say.
struct regression {
    label_set found;        // severity, site, function, tag
    label_set annotations;  // summary, description
    std::string generator_url;
};

// Whether a label may not be the user's own: alertname, and those of what was found.
[[nodiscard]] bool is_reserved_label(const std::string& name);

// What to post, nothing if there is nothing to say. `firing` is absent when the gate passed; it fires until `now + lasts`.
[[nodiscard]] std::vector<alert> plan_alerts(const label_set& identity, const std::optional<regression>& firing,
                                             const std::vector<active_alert>& active, std::uint64_t now_unix_ms,
                                             std::uint64_t lasts_ms);

}  // namespace memwatch::inline v1::notify
