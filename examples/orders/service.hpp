// SPDX-License-Identifier: Apache-2.0
#pragma once
// The order service: routes, and the components behind them. This is where requests meet memwatch - handle() opens a trace
// scope for each request, and hands the trace over to the worker that finishes it.
//
//   POST /api/v2/orders       place an order; Idempotency-Key makes retries safe          (on a worker)
//   GET  /api/v2/orders/{id}  one of the latest orders
//   POST /api/v2/cart         put a product into the session's cart                       (on a worker)
//   GET  /api/v2/search?q=    products by words
//   GET  /api/v1/catalog?page=
//   POST /login               customer=NAME -> session token
//   GET  /stats               how many things each component holds
//   GET  /healthz

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <memory_resource>
#include <stop_token>
#include <string_view>
#include <thread>

#include "catalog.hpp"
#include "form.hpp"
#include "label_table.hpp"
#include "log_ring.hpp"
#include "messages.hpp"
#include "order_cache.hpp"
#include "order_store.hpp"
#include "price_table.hpp"
#include "search.hpp"
#include "session_store.hpp"
#include "worker_pool.hpp"

namespace orders {

struct service_options {
    unsigned worker_threads{2};
    bool is_fixed{};  // --fix: create_order forgets on its early return too
};

// Threads: handle() from any.
class service {
public:
    using respond = std::function<void(response)>;

    explicit service(const service_options& wanted);
    ~service();

    // Calls `done` exactly once: on this thread before returning, or later on a worker.
    void handle(request incoming, respond done);

private:
    // What one request parses into, leased from a pool for its duration. Requests that need more spill into tracked memory.
    struct request_arena {
        std::array<std::byte, 16 * 1024> bytes;
    };
    using arena_pool = memwatch::object_pool<request_arena>;

    using handler = response (service::*)(const request&, const form&);
    struct route {
        std::string_view method;
        std::string_view path;   // a trailing '/' matches everything below
        std::string_view label;  // what memwatch and the log call it: bounded, unlike paths
        handler run;
        bool is_on_worker;
    };
    static const std::array<route, 8> routes;
    [[nodiscard]] static const route* find_route(const request& incoming);

    [[nodiscard]] response run(const route& to, const request& incoming);

    response create_order(const request& incoming, const form& fields);
    response show_order(const request& incoming, const form& fields);
    response add_to_cart(const request& incoming, const form& fields);
    response search(const request& incoming, const form& fields);
    response show_catalog(const request& incoming, const form& fields);
    response log_in(const request& incoming, const form& fields);
    response show_stats(const request& incoming, const form& fields);
    response show_health(const request& incoming, const form& fields);

    [[nodiscard]] receipt price_order(const form& fields) const;
    void keep_house(const std::stop_token& stop);

    const service_options options_;
    arena_pool arenas_{"request-arenas", {.capacity = 256}};
    memwatch::tag spill_tag_{"request-spill"};
    memwatch::tracking_resource spill_{spill_tag_, std::pmr::new_delete_resource()};

    order_cache order_cache_;
    order_store recent_orders_{7'000};
    price_table prices_{24'000};
    catalog catalog_{2'000, prices_};
    search_index search_{1'800};
    session_store sessions_{std::chrono::seconds{20}};
    label_table labels_;
    log_ring log_{16'000};

    worker_pool workers_;  // after the components its jobs use
    memwatch::pool_registration queue_on_show_;
    std::jthread housekeeper_;  // stopped first
};

}  // namespace orders
