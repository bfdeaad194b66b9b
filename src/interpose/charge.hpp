// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one test on an allocation: takes its bytes from the thread's countdown. As capture's countdown_borrows, but subtracting
// in memory: two instructions where gcc 12 makes five of the portable form.

#include <cstddef>

#include <memwatch/capture/sampler.hpp>

namespace memwatch::interpose {

// True: the countdown ran out. Always inlined; `bytes` up to 2^64 - 1.
[[gnu::always_inline]] inline bool charge(std::size_t bytes) noexcept {
#if defined(__x86_64__) && defined(__GCC_ASM_FLAG_OUTPUTS__)
    bool has_borrowed;
    asm("subq %[bytes], %[countdown]"
        : [countdown] "+m"(detail::this_thread.countdown), "=@ccb"(has_borrowed)
        : [bytes] "re"(bytes));
    return has_borrowed;
#else
    return detail::countdown_borrows(bytes);
#endif
}

}  // namespace memwatch::interpose
