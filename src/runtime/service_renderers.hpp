// SPDX-License-Identifier: Apache-2.0
#pragma once
// The members of a service_view that are functions of finished snapshots: formats, diffs, tables, words. Joined here once for
// the server inside a service and for the one that `memwatch run` keeps; nothing here lives.

#include <string_view>

#include "serve/routes.hpp"

namespace memwatch {
inline namespace v1 {

// encode, decode, render_diff, render_summary, render_table, render_verdicts, name_site.
void fill_renderers(serve::service_view& view);

// What the control command "history" answers, as serve shows it. Lines that nobody can read are left out.
[[nodiscard]] serve::history_page read_history_page(std::string_view lines);

}  // namespace v1
}  // namespace memwatch
