// SPDX-License-Identifier: Apache-2.0
#pragma once
// From a sampled event to a record: the doors (alloc/, interpose/) call these when a block was taken as a sample and when
// such a block goes away. Both update the live table before they return; a free is never queued and never dropped.
//
// Order (rule 2): record after the block was obtained, forget before it is given back, because the address can be handed to
// another thread at once.

#include <cstddef>
#include <string_view>

#include <memwatch/base/export.hpp>
#include <memwatch/capture/sampler.hpp>

namespace memwatch {
inline namespace v1 {
namespace detail {

// Captures stack, trace context, thread and time and makes the block at `address` live under `owner`. `type` is copied if its
// site is new. Threads: any. Never fails towards the caller: what cannot be recorded is dropped and counted.
[[gnu::cold]] MEMWATCH_API void record_allocation(const void* address, std::size_t bytes, tag_id owner, std::string_view type,
                                                  sample_ticket ticket, const void* caller) noexcept;

// Forgets the block. False: it was not live (never a sample, or thinned away).
[[gnu::cold]] MEMWATCH_API bool record_free(const void* address, tag_id owner) noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
