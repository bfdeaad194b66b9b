// SPDX-License-Identifier: Apache-2.0
#pragma once
// Shows a service to an engine, once an epoch, as memwatch's worker does for a process.

#include <vector>

#include "service.hpp"

namespace soak {

class observer {
public:
    explicit observer(double epoch_s);

    // One look at what is alive now.
    void look_at(const service& observed, double interval_bytes);

    // Of the last look; index = the site's number.
    [[nodiscard]] const std::vector<memwatch::verdict>& verdicts() const { return verdicts_; }
    [[nodiscard]] double look_seconds() const { return look_seconds_; }  // of this thread's CPU, all looks
    [[nodiscard]] std::size_t self_bytes() const { return engine_.self_bytes(); }

private:
    memwatch::engine engine_;
    std::vector<memwatch::verdict> verdicts_;
    double look_seconds_{0};
};

}  // namespace soak
