// SPDX-License-Identifier: Apache-2.0
#pragma once
// A judgement told to Alertmanagers: what is active there is asked for, what has to change is posted (notify/ knows what that
// is). One that does not answer keeps no other from being told.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http/url.hpp"
#include "notify/regression_alert.hpp"

namespace memwatch {
inline namespace v1 {

struct alert_choice {
    std::vector<http_url> targets;
    notify::label_set identity;
    std::uint64_t lasts_ms{};
};

// Where the build that runs us can be seen, as GitHub, GitLab and Jenkins tell in the environment; "" where none does.
[[nodiscard]] std::string build_url();

// Tells all of them. True when at least one took it (or there was nothing to tell); what went wrong is said on stderr.
bool tell_alertmanagers(const alert_choice& to, const std::optional<notify::regression>& firing, std::uint64_t now_unix_ms);

}  // namespace v1
}  // namespace memwatch
