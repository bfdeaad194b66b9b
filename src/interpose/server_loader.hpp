// SPDX-License-Identifier: Apache-2.0
#pragma once
// HTTP in a program that never heard of it: only when an address was asked for (MEMWATCH_LISTEN), only then is the library with
// the server loaded, and on a thread of memwatch's own, after start-up.

namespace memwatch::interpose {

void serve_if_asked() noexcept;

}  // namespace memwatch::interpose
