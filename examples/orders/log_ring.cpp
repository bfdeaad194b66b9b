// SPDX-License-Identifier: Apache-2.0
#include "log_ring.hpp"

#include <chrono>

namespace orders {
namespace {

constexpr std::size_t line_bytes = 480;  // a structured line with its usual fields, reserved at once

}  // namespace

void log_ring::write(std::string_view route, unsigned status, std::string_view traceparent) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    std::pmr::string line{&memory_};
    line.reserve(line_bytes);
    line += "{\"time_us\":" + std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
    line += ",\"level\":\"info\",\"route\":\"";
    line += route;
    line += "\",\"status\":" + std::to_string(status) + ",\"traceparent\":\"";
    line += traceparent;
    line += "\"}";
    const std::scoped_lock lock{mutex_};
    if (lines_.size() < capacity_lines_) {
        lines_.push_back(std::move(line));
    } else {
        lines_[next_] = std::move(line);
        next_ = (next_ + 1) % capacity_lines_;
    }
}

std::size_t log_ring::size() const {
    const std::scoped_lock lock{mutex_};
    return lines_.size();
}

}  // namespace orders
