// SPDX-License-Identifier: Apache-2.0
#pragma once
// A block that the sampler is asked about, with what is known of it before its stack is walked.

#include <cstddef>

#include <memwatch/capture/sampler.hpp>

namespace memwatch {
inline namespace v1 {
namespace detail {

struct sample_request {
    std::size_t bytes;
    tag_id owner = 0;              // the tag that the block will have
    const void* caller = nullptr;  // return address into the program's code; null: not known
    bool takes_page = true;        // as a sample it is put at a page edge
};

// take_sample() for doors that know who asks: blocks of escalated sites (escalation.hpp) are samples, too. [hook]
[[gnu::cold]] sample_ticket take_sample(const sample_request& request) noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
