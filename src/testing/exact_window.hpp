// SPDX-License-Identifier: Apache-2.0
#pragma once
// While a window is open every tracked block is recorded, whatever preset runs. Windows nest and are counted; the last one's
// end puts back what the session wants. Defined by runtime/ (steering.cpp).

#include <cstdint>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

// Whether malloc and operator new are seen too, by a door that was linked or preloaded.
struct exact_coverage {
    bool is_heap_seen{};
};

// The calling thread records from its next allocation on, others from their next draw. Errors: unavailable (no session runs).
[[nodiscard]] result<exact_coverage> open_exact_window();
void close_exact_window() noexcept;

}  // namespace v1
}  // namespace memwatch
