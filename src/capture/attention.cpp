// SPDX-License-Identifier: Apache-2.0
#include "capture/attention.hpp"

#include <algorithm>

#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace detail {

constinit __thread attention attention_of_this_thread{};

namespace {

// When a thread stops to see whether it has to rest.
constexpr std::uint32_t most_asked = 256;
constexpr std::uint32_t most_spent_ns = 20'000;
// Chunks of a rest: some 256 blocks, so that a thread which allocates more slowly than before does not rest for ever.
constexpr std::uint64_t least_chunk = 1U << 10U;
constexpr std::uint64_t most_chunk = 64U << 10U;

std::uint64_t chunk_of(const attention& own) noexcept { return std::clamp(own.asked_bytes, least_chunk, most_chunk); }

// Rests if what was spent is more than its share of the time since the last time it was paid for.
void settle(attention& own, std::uint32_t permille) noexcept {
    const std::uint64_t now_ns = platform::monotonic_ns();
    const std::uint64_t spent_ns = own.asked * ask_ns + own.spent_ns;
    const std::uint64_t due_ns = permille == 0 ? 0 : spent_ns * 1000 / permille;
    if (own.paid_until_ns + due_ns > now_ns) {
        own.rest_until_ns = own.paid_until_ns + due_ns;
        return;  // asked_bytes says how large a chunk of the rest is
    }
    own.paid_until_ns = now_ns;
    own.asked_bytes = own.asked = own.spent_ns = 0;
}

}  // namespace

std::uint64_t left_of_draw(const thread_block& self, std::size_t bytes) noexcept {
    const attention& own = attention_of_this_thread;
    const std::uint64_t before = self.countdown + bytes;  // what the subtraction left wraps back
    if (!own.is_open) { return before; }
    const std::uint64_t passed = own.set_bytes > before ? own.set_bytes - before : 0;
    return own.draw_bytes > passed ? own.draw_bytes - passed : 0;
}

bool is_attentive(std::uint32_t permille) noexcept {
    attention& own = attention_of_this_thread;
    if (!own.is_open) {
        own = {};
        own.is_open = true;
        own.paid_until_ns = platform::monotonic_ns();
        return true;
    }
    if (own.rest_until_ns == 0) { return true; }
    const std::uint64_t now_ns = platform::monotonic_ns();
    if (now_ns < own.rest_until_ns && permille != 0) { return false; }
    own.paid_until_ns = now_ns;
    own.rest_until_ns = own.asked_bytes = own.asked = own.spent_ns = 0;
    return true;
}

void go_on(thread_block& self, const sample_request& request, std::uint64_t left, bool was_attentive,
           std::uint32_t permille) noexcept {
    attention& own = attention_of_this_thread;
    if (was_attentive) {
        own.asked_bytes += request.bytes;
        ++own.asked;
        if (own.asked >= most_asked || own.spent_ns >= most_spent_ns) { settle(own, permille); }
    }
    own.draw_bytes = left;
    own.set_bytes = own.rest_until_ns == 0 ? 0 : std::min(left, chunk_of(own));
    self.countdown = own.set_bytes;
}

}  // namespace detail
}  // namespace v1
}  // namespace memwatch
