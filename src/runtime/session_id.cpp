// SPDX-License-Identifier: Apache-2.0
#include "runtime/session_id.hpp"

#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {

void write_session_id(std::string& id) noexcept {
    constexpr char digits[] = "0123456789abcdef";
    constexpr std::size_t size = 32;
    id.resize(size);
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < size; ++i) {
        if (i % 16 == 0) { bits = platform::random_seed(); }
        id[i] = digits[bits & 0xFU];
        bits >>= 4U;
    }
}

}  // namespace v1
}  // namespace memwatch
