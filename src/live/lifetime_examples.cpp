// SPDX-License-Identifier: Apache-2.0
#include "live/lifetime_examples.hpp"

#include <algorithm>
#include <mutex>

namespace memwatch {
inline namespace v1 {

void lifetime_examples::keep(std::uint32_t tag, const trace_id& trace, std::uint64_t lifetime_ns,
                             std::uint64_t died_ns) noexcept {
    if (tag >= max_tags || !trace.is_valid()) { return; }
    const std::size_t bucket = lifetime_bucket(lifetime_ns);
    const std::lock_guard guard(lock_);
    tags_used_ = std::max(tags_used_, tag + 1);
    rows_[tag][bucket] = {trace, lifetime_ns, died_ns};
}

std::vector<lifetime_example> lifetime_examples::copy() {
    std::vector<lifetime_example> out;
    for (std::uint32_t tag = 0; tag < max_tags; ++tag) {
        example row[lifetime_bucket_count];
        {
            const std::lock_guard guard(lock_);  // nothing is allocated under it
            if (tag >= tags_used_) { break; }
            std::copy(std::begin(rows_[tag]), std::end(rows_[tag]), std::begin(row));
        }
        for (const example& each : row) {
            if (each.trace.is_valid()) { out.push_back({tag, each.trace, each.lifetime_ns, each.died_ns}); }
        }
    }
    return out;
}

std::size_t lifetime_examples::self_bytes() noexcept {
    const std::lock_guard guard(lock_);
    return tags_used_ * sizeof rows_[0];
}

}  // namespace v1
}  // namespace memwatch
