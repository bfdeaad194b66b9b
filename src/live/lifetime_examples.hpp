// SPDX-License-Identifier: Apache-2.0
#pragma once
// For each tag and lifetime bucket, the request whose block was the last to die in it: what a scrape shows as an exemplar
// beside the histogram, so that "some blocks live for minutes" leads to one of them.
//
//   tag 5, order-cache   [<=1 ms: 4bf9.. 0.4 ms, died 17:03:11] ... [<=65 s: 9a01.. 41 s, died 16:58:02]
//
// In: deaths of sampled blocks that were born in a trace. Out: rows of a snapshot. The first 128 tags; 60 KiB, touched as tags
// are used. One lock for all: deaths of samples are rare, and two stores long. Threads: any. Allocates: nothing but for the
// copy.

#include <cstdint>
#include <vector>

#include <memwatch/model/snapshot.hpp>
#include "base/spin_lock.hpp"

namespace memwatch {
inline namespace v1 {

class lifetime_examples {
public:
    static constexpr std::uint32_t max_tags = 128;

    void keep(std::uint32_t tag, const trace_id& trace, std::uint64_t lifetime_ns, std::uint64_t died_ns) noexcept;

    // By tag and bucket; `died_ns` as it was given.
    [[nodiscard]] std::vector<lifetime_example> copy();

    [[nodiscard]] spin_lock& lock() noexcept { return lock_; }
    [[nodiscard]] std::size_t self_bytes() noexcept;

private:
    struct example {
        trace_id trace;
        std::uint64_t lifetime_ns;
        std::uint64_t died_ns;
    };

    spin_lock lock_{lock_rank::lifetime_examples};
    std::uint32_t tags_used_{0};  // guarded by lock_, as below
    example rows_[max_tags][lifetime_bucket_count]{};
};

}  // namespace v1
}  // namespace memwatch
