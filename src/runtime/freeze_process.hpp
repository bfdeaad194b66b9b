// SPDX-License-Identifier: Apache-2.0
#pragma once
// All rooms of the process into one snapshot, redacted: what session::snapshot() and summary() return. Threads: any.
// Errors: unavailable (nothing was ever started, no memory).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/result.hpp>
#include <memwatch/model/snapshot.hpp>
#include "live/live_state.hpp"

namespace memwatch {
inline namespace v1 {

struct frozen_process {
    snapshot value;
    std::uint32_t first_site{};           // the process' number of the site in row 0
    std::vector<std::string> pool_names;  // of value.pools, before anything was redacted
};

[[nodiscard]] result<frozen_process> freeze_process(std::string_view label, live_state::detail how);

// As session::name_functions(), for these rows of sites.
void name_functions_of(snapshot& s, const std::vector<std::uint32_t>& sites) noexcept;

}  // namespace v1
}  // namespace memwatch
