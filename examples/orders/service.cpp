// SPDX-License-Identifier: Apache-2.0
#include "service.hpp"

#include <pthread.h>

#include <string>
#include <utility>

#include "traceparent.hpp"

namespace orders {
namespace {

constexpr std::size_t queue_limit = 1'000;
constexpr std::uint32_t in_stock_limit = 40;  // more of one product has to be ordered from the supplier
constexpr std::chrono::seconds retry_window{3};

response failure(unsigned status, std::string_view what) { return {status, "{\"error\":\"" + std::string{what} + "\"}", {}}; }

std::string to_json(const receipt& order) {
    std::string out = "{\"order_id\":" + std::to_string(order.order_id) +
                      ",\"total_cents\":" + std::to_string(order.total_cents) +
                      ",\"in_stock\":" + (order.is_in_stock ? "true" : "false") + ",\"lines\":[";
    for (const order_line& line : order.lines) {
        if (&line != &order.lines.front()) { out += ','; }
        out += "{\"sku\":" + std::to_string(line.sku) + ",\"quantity\":" + std::to_string(line.quantity) +
               ",\"unit_price_cents\":" + std::to_string(line.unit_price_cents) + "}";
    }
    return out + "]}";
}

}  // namespace

const std::array<service::route, 8> service::routes{{
    {"POST", "/api/v2/orders", "/api/v2/orders", &service::create_order, true},
    {"GET", "/api/v2/orders/", "/api/v2/orders/{id}", &service::show_order, false},
    {"POST", "/api/v2/cart", "/api/v2/cart", &service::add_to_cart, true},
    {"GET", "/api/v2/search", "/api/v2/search", &service::search, false},
    {"GET", "/api/v1/catalog", "/api/v1/catalog", &service::show_catalog, false},
    {"POST", "/login", "/login", &service::log_in, false},
    {"GET", "/stats", "/stats", &service::show_stats, false},
    {"GET", "/healthz", "/healthz", &service::show_health, false},
}};

service::service(const service_options& wanted)
    : options_(wanted),
      workers_(wanted.worker_threads, queue_limit),
      queue_on_show_(memwatch::register_pool(
          "order-queue", [this] { return memwatch::pool_stats{.capacity = queue_limit, .in_use = workers_.queued()}; })),
      housekeeper_([this](const std::stop_token& stop) {
          pthread_setname_np(pthread_self(), "housekeeper");
          keep_house(stop);
      }) {}

service::~service() = default;

const service::route* service::find_route(const request& incoming) {
    for (const route& r : routes) {
        const bool is_prefix = r.path.ends_with('/');
        const bool matches = is_prefix ? incoming.path.starts_with(r.path) : incoming.path == r.path;
        if (matches && incoming.method == r.method) { return &r; }
    }
    return nullptr;
}

void service::handle(request incoming, respond done) {
    const route* to = find_route(incoming);
    if (to == nullptr) { return done(failure(404, "no such route")); }
    if (!is_traceparent(incoming.traceparent)) { incoming.traceparent = make_traceparent(); }

    // From here to the end of the scope, what this thread allocates belongs to this trace and route.
    const memwatch::trace_scope scope{incoming.traceparent, to->label};
    if (!to->is_on_worker) { return done(run(*to, incoming)); }

    // bind() carries trace and route over to the worker.
    auto job = memwatch::bind([this, to, incoming = std::move(incoming), done] { done(run(*to, incoming)); });
    if (!workers_.try_submit(std::move(job))) { done(failure(503, "too many orders at once")); }
}

response service::run(const route& to, const request& incoming) {
    const auto arena = arenas_.acquire();
    if (!arena) { return failure(503, "too many requests at once"); }
    std::pmr::monotonic_buffer_resource memory{arena->bytes.data(), arena->bytes.size(), &spill_};
    const form fields = parse_form(incoming.method == "POST" ? incoming.body : incoming.query, &memory);

    response answer = (this->*to.run)(incoming, fields);
    answer.traceparent = incoming.traceparent;
    log_.write(to.label, answer.status, incoming.traceparent);
    return answer;
}

response service::create_order(const request& incoming, const form& fields) {
    if (incoming.idempotency_key.empty()) { return failure(400, "Idempotency-Key is missing"); }
    if (const auto earlier = order_cache_.find(incoming.idempotency_key)) { return {200, to_json(*earlier), {}}; }

    receipt order = price_order(fields);
    if (order.lines.empty()) { return failure(400, "an order needs at least one sku and quantity"); }
    labels_.count(field(fields, "customer"));
    order.order_id = recent_orders_.add(order);
    order_cache_.remember(incoming.idempotency_key, order);

    if (order.is_in_stock) {
        // The early return of the example's bug: remembered above, and forgotten only with --fix.
        if (options_.is_fixed) { order_cache_.forget_after(incoming.idempotency_key, retry_window); }
        return {201, to_json(order), {}};
    }
    order_cache_.forget_after(incoming.idempotency_key, retry_window);
    return {202, to_json(order), {}};
}

receipt service::price_order(const form& fields) const {
    receipt order;
    order.is_in_stock = true;
    order.lines.reserve(fields.size() / 2);
    for (std::size_t i = 0; i + 1 < fields.size(); ++i) {
        if (fields[i].name != "sku" || fields[i + 1].name != "quantity") { continue; }
        order_line line{to_number(fields[i].value), to_number(fields[i + 1].value), 0, {}, {}};
        line.unit_price_cents = prices_.price_cents(line.sku);
        line.title = short_text<48>{"product " + std::to_string(line.sku)};
        line.shipping =
            short_text<64>{line.quantity > in_stock_limit ? "from the supplier, 10 to 14 days" : "from stock, 2 days"};
        order.total_cents += line.unit_price_cents * line.quantity;
        order.is_in_stock = order.is_in_stock && line.quantity <= in_stock_limit;
        order.lines.push_back(line);
    }
    return order;
}

response service::show_order(const request& incoming, const form&) {
    const auto order = recent_orders_.find(to_number(std::string_view{incoming.path}.substr(incoming.path.rfind('/') + 1)));
    return order ? response{200, to_json(*order), {}} : failure(404, "no such order among the latest");
}

response service::add_to_cart(const request& incoming, const form& fields) {
    const bool is_known =
        sessions_.add_to_cart(incoming.session_token, to_number(field(fields, "sku")), to_number(field(fields, "quantity")));
    return is_known ? response{200, "{\"ok\":true}", {}} : failure(401, "log in first");
}

response service::search(const request&, const form& fields) { return {200, search_.find(field(fields, "q")), {}}; }

response service::show_catalog(const request&, const form& fields) {
    return {200, catalog_.page(to_number(field(fields, "page"))), {}};
}

response service::log_in(const request&, const form& fields) {
    const std::string_view customer = field(fields, "customer");
    if (customer.empty()) { return failure(400, "customer is missing"); }
    labels_.count(customer);
    return {200, "{\"session\":\"" + sessions_.log_in(customer) + "\"}", {}};
}

response service::show_stats(const request&, const form&) {
    std::string out{"{"};
    const auto add = [&](const char* name, std::size_t count) {
        out += (out.size() > 1 ? ",\"" : "\"") + std::string{name} + "\":" + std::to_string(count);
    };
    add("order-cache", order_cache_.size());
    add("recent-orders", recent_orders_.size());
    add("price-table", prices_.size());
    add("catalog-cache", catalog_.size());
    add("search-results", search_.size());
    add("sessions", sessions_.size());
    add("metric-labels", labels_.size());
    add("log-ring", log_.size());
    return {200, out + "}", {}};
}

response service::show_health(const request&, const form&) { return {200, "{\"ok\":true}", {}}; }

void service::keep_house(const std::stop_token& stop) {
    constexpr std::chrono::milliseconds beat{100};
    constexpr std::uint32_t prices_per_beat = 100;  // 1 KiB each: 1 MiB/s until the table is complete
    while (!stop.stop_requested()) {
        std::this_thread::sleep_for(beat);
        prices_.load_chunk(prices_per_beat);
        const auto now = std::chrono::steady_clock::now();
        sessions_.sweep(now);
        order_cache_.sweep(now);
    }
}

}  // namespace orders
