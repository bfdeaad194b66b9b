// SPDX-License-Identifier: Apache-2.0
#pragma once
// memwatch's metrics for a service that already owns a prometheus::Exposer or Registry: register the collectable there and
// scrape one endpoint. Holds no state of its own; every Collect() freezes the exact counters and the top sites.

#include <memory>

#include <prometheus/collectable.h>

#include <memwatch/base/export.hpp>
#include <memwatch/session.hpp>

namespace memwatch {
inline namespace v1 {

// Threads: Collect() from any. Register it with exposer.RegisterCollectable(collectable).
[[nodiscard]] MEMWATCH_API std::shared_ptr<prometheus::Collectable> collectable(const session& s);

}  // namespace v1
}  // namespace memwatch
