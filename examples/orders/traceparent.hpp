// SPDX-License-Identifier: Apache-2.0
#pragma once
// The W3C traceparent header: take the caller's trace, or begin one. https://www.w3.org/TR/trace-context/

#include <string>
#include <string_view>

namespace orders {

// "00-" 32 hex "-" 16 hex "-" 2 hex, not all zero, lower case.
[[nodiscard]] bool is_traceparent(std::string_view header);

// A new sampled trace with random ids. Threads: any.
[[nodiscard]] std::string make_traceparent();

}  // namespace orders
