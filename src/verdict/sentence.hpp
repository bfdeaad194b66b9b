// SPDX-License-Identifier: Apache-2.0
#pragma once
// A verdict as a colleague would say it:
//
//   order_cache::insert has kept 100 % of what it allocated for route /api/v2/orders since 14:02:10, 52 MiB at 1.3 MiB/s, 4
//   epochs, nothing freed; would change my mind: one eviction
//
// Names are as the program wrote them, escaped by nobody: renderers make the whole sentence safe. Times of day are UTC.
// Pure functions; any thread.

#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include <memwatch/model/verdict.hpp>

namespace memwatch {
inline namespace v1 {

// The route that most retained bytes of the site were allocated for, and one trace of it. Empty: none, or no records.
struct retained_for {
    std::string route;
    double route_share{};  // of the site's live bytes
    trace_id trace;
};
// Of one verdict of `in`, and of many: a pass over all records either way. Those of level none were for nobody.
[[nodiscard]] retained_for retained_for_whom(const verdict& of, const snapshot& in);
[[nodiscard]] std::vector<retained_for> retained_for_whom(const std::vector<const verdict*>& all, const snapshot& in);

// `of` is a verdict of `in`. One line, no full stop.
[[nodiscard]] std::string sentence(const verdict& of, const snapshot& in);
[[nodiscard]] std::string sentence(const verdict& of, const snapshot& in, const retained_for& whom);

// What would change it, alone: "one eviction", "20 more samples".
[[nodiscard]] std::string change_of_mind(const verdict& of);

}  // namespace v1
}  // namespace memwatch
