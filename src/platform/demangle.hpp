// SPDX-License-Identifier: Apache-2.0
#pragma once
// C++ symbol names as people write them.

#include <string>

namespace memwatch {
inline namespace v1 {

// "_ZN6orders5cache6insertEi" -> "orders::cache::insert(int)"; anything else comes back unchanged. Names longer than 4 KiB stay
// mangled: a demangled name can be exponentially longer than a mangled one. Threads: any. Allocates.
[[nodiscard]] std::string demangle(const std::string& symbol);

}  // namespace v1
}  // namespace memwatch
