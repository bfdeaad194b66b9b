// SPDX-License-Identifier: Apache-2.0
#pragma once
// The samplers that were ever in force, for good: a thread may be inside one while another takes its place, and nobody counts
// threads. So a process can have used so many different ones at most. Guarded by `steering`.

#include <cstddef>

#include "capture/sampler_choice.hpp"

namespace memwatch {
inline namespace v1 {

class sampler_list {
public:
    static constexpr std::size_t capacity = 256;

    // The one that is equal to `wanted`, made if need be; null: there are `capacity` already.
    [[nodiscard]] const sampler_choice* find_or_add(const sampler_choice& wanted) noexcept {
        for (std::size_t i = 0; i < count_; ++i) {
            if (list_[i] == wanted) { return &list_[i]; }
        }
        if (count_ == capacity) { return nullptr; }
        list_[count_] = wanted;
        return &list_[count_++];
    }

private:
    sampler_choice list_[capacity];
    std::size_t count_{0};
};

}  // namespace v1
}  // namespace memwatch
