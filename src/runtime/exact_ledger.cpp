// SPDX-License-Identifier: Apache-2.0
// Nothing is recorded exactly before the ledger is bound.
#include "capture/exact_sink.hpp"

namespace memwatch {
inline namespace v1 {

std::uint32_t exact_birth(const void*, std::size_t, const void*, std::uint64_t) noexcept { return 0; }
bool exact_death(std::uint32_t, const void*) noexcept { return false; }
std::uint32_t exact_handle_check() noexcept { return 1; }

}  // namespace v1
}  // namespace memwatch
