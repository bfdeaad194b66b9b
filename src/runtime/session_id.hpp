// SPDX-License-Identifier: Apache-2.0
#pragma once
// The identity of a session: 128 random bits as 32 hex digits.

#include <string>

namespace memwatch {
inline namespace v1 {

// Replaces the text; allocates nothing when `id` already holds one (a forked child writes in place).
void write_session_id(std::string& id) noexcept;

}  // namespace v1
}  // namespace memwatch
