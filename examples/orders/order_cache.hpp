// SPDX-License-Identifier: Apache-2.0
#pragma once
// The idempotency cache: the answer to each placed order, keyed by the client's request id, so that a retry after a lost
// connection gets the first answer instead of a second order. An answer is kept for the retry window.
//
// THE LEAK OF THIS EXAMPLE: remember() only adds. It is the caller's duty to name the end of the window with forget_after(),
// and service::create_order returns early for orders that are in stock - nearly all of them - before it gets there.
// Two calls that belong together and an early return between them: reviews miss it, and no tool calls it a leak, because the
// map still points at every byte.

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "order.hpp"
#include "tracked.hpp"

namespace orders {

// Threads: any.
class order_cache {
public:
    using clock = std::chrono::steady_clock;

    [[nodiscard]] std::optional<receipt> find(std::string_view request_id) const;
    void remember(std::string_view request_id, const receipt& answer);

    // The answer may go `window` from now; sweep() takes it then.
    void forget_after(std::string_view request_id, clock::duration window);
    void sweep(clock::time_point now);

    [[nodiscard]] std::size_t size() const;

private:
    struct stored_receipt {
        std::uint64_t order_id{};
        std::int64_t total_cents{};
        bool is_in_stock{};
        tracked_vector<order_line> lines;
    };
    struct expiry {
        clock::time_point when;
        tracked_string request_id;
    };

    memwatch::tag tag_{"order-cache"};
    mutable std::mutex mutex_;
    tracked_text_map<stored_receipt> answers_{tracked<char>{tag_}};
    std::deque<expiry, tracked<expiry>> expiries_{tracked<expiry>{tag_}};  // one window for all, so in order of time
};

}  // namespace orders
