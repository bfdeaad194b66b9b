// SPDX-License-Identifier: Apache-2.0
#pragma once
// The last log lines, kept for a crash report. Healthy: grows until the ring has gone round once, then each line replaces one.
// Uses std::pmr to show the other way in: any code that takes a memory_resource is tracked without naming an allocator type.

#include <cstddef>
#include <memory_resource>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/memwatch.hpp>

namespace orders {

// Threads: any.
class log_ring {
public:
    explicit log_ring(std::size_t capacity_lines) : capacity_lines_(capacity_lines) {}

    void write(std::string_view route, unsigned status, std::string_view traceparent);
    [[nodiscard]] std::size_t size() const;

private:
    const std::size_t capacity_lines_;
    memwatch::tag tag_{"log-ring"};
    memwatch::tracking_resource memory_{tag_, std::pmr::new_delete_resource()};
    mutable std::mutex mutex_;
    std::pmr::vector<std::pmr::string> lines_{&memory_};
    std::size_t next_{};  // slot that the next line takes once the ring is full
};

}  // namespace orders
