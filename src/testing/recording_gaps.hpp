// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether a scope can have missed a block, and how many at most. Records can be thinned, declined or left out; counters cannot.
//
//   recording_gaps    what in this process may have kept a block of the scope from being recorded. No difference between the
//                     scope's begin and its check: every block was, and what no record shows is not alive
//   own_allocations   what the calling thread allocated under each tag, from its own row: exact. An upper bound of what it can
//                     have left alive, freed by whichever thread

#include <cstddef>
#include <cstdint>
#include <vector>

namespace memwatch {
inline namespace v1 {
namespace testing {

struct block_count {
    std::uint64_t objects{};
    std::uint64_t bytes{};
    void add(std::uint64_t more_objects, std::uint64_t more_bytes) noexcept {
        objects += more_objects;
        bytes += more_bytes;
    }
};

// Counters that only grow, as they stand at one moment.
struct recording_gaps {
    std::uint64_t of_records{};     // thinned, declined, displaced or attributed to no thread; of any door
    std::uint64_t of_heap_doors{};  // what full mode could not record, which no counter of a tag knows
    std::uint32_t ignore_scopes{};  // that the calling thread has begun

    [[nodiscard]] static recording_gaps now() noexcept;
};

class own_allocations {
public:
    // The calling thread's, which gets a row of its own if there is one.
    [[nodiscard]] static own_allocations now();

    // Whether `earlier` is of the same thread: only then are the two comparable.
    [[nodiscard]] bool is_of_thread_of(const own_allocations& earlier) const noexcept {
        return row_ != nullptr && row_ == earlier.row_;
    }
    [[nodiscard]] block_count since(const own_allocations& earlier, std::size_t tag) const noexcept;

private:
    const void* row_{};
    std::vector<block_count> by_tag_;
};

}  // namespace testing
}  // namespace v1
}  // namespace memwatch
