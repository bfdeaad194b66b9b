// SPDX-License-Identifier: Apache-2.0
#pragma once
// The resources behind memwatch::resource(tag): one a tag, made when it is first asked for and never destroyed, because what
// was allocated from it may be freed after main. One table in a process; it belongs to runtime/ (process_state.cpp).

#include <atomic>

#include <memwatch/alloc/tracking_resource.hpp>

namespace memwatch {
inline namespace v1 {

class resource_table {
public:
    // Threads: any. Lock-free; two that are first make one each, and the slower one's goes. Throws std::bad_alloc.
    [[nodiscard]] tracking_resource& of(memwatch::tag owner);

private:
    std::atomic<tracking_resource*> resources_[max_tags]{};
};

// Defined by runtime/.
[[nodiscard]] resource_table& process_resources() noexcept;

}  // namespace v1
}  // namespace memwatch
