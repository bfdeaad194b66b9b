// SPDX-License-Identifier: Apache-2.0
#pragma once
// memwatch's metrics for a service that already owns a prometheus::Exposer or Registry: register the collectable there and
// scrape one endpoint. Holds no state of its own; every Collect() freezes the exact counters and the top sites.

#include <memory>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#ifdef MEMWATCH_DISABLE
#include <memwatch/none.hpp>

namespace memwatch {
inline namespace none {

// Collects nothing.
[[nodiscard]] inline std::shared_ptr<prometheus::Collectable> collectable(const session&) {
    struct empty final : prometheus::Collectable {
        std::vector<prometheus::MetricFamily> Collect() const override { return {}; }
    };
    return std::make_shared<empty>();
}

}  // namespace none
}  // namespace memwatch
#else
#include <memwatch/base/export.hpp>
#include <memwatch/session.hpp>

namespace memwatch {
inline namespace v1 {

// Threads: Collect() from any. Register it with exposer.RegisterCollectable(collectable).
[[nodiscard]] MEMWATCH_API std::shared_ptr<prometheus::Collectable> collectable(const session& s);

}  // namespace v1
}  // namespace memwatch
#endif
