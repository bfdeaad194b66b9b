// SPDX-License-Identifier: Apache-2.0
#include <memwatch/capture/trace_context.hpp>

#include "base/hash.hpp"
#include "capture/capture_state.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// Value of a lower-case hex digit (the recommendation forbids upper case); 16 for anything else.
constexpr unsigned hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') { return static_cast<unsigned>(c - '0'); }
    if (c >= 'a' && c <= 'f') { return static_cast<unsigned>(c - 'a') + 10; }
    return 16;
}

// Up to 16 lower-case hex digits. False: something else is among them.
bool read_hex(std::string_view digits, std::uint64_t& value) noexcept {
    value = 0;
    for (const char c : digits) {
        if (hex_value(c) == 16) { return false; }
        value = value << 4U | hex_value(c);
    }
    return true;
}

bool read_trace_id(std::string_view digits, trace_id& trace) noexcept {
    return digits.size() == 32 && read_hex(digits.substr(0, 16), trace.high) && read_hex(digits.substr(16), trace.low);
}

// version "-" trace-id "-" parent-id "-" flags; versions above 00 may carry more behind another dash.
bool read_traceparent(std::string_view header, trace_context& context) noexcept {
    constexpr std::size_t version_00_size = 55;
    if (header.size() < version_00_size || header[2] != '-' || header[35] != '-' || header[52] != '-') { return false; }
    std::uint64_t version = 0;
    std::uint64_t flags = 0;
    if (!read_hex(header.substr(0, 2), version) || !read_hex(header.substr(53, 2), flags) || version == 0xFF) { return false; }
    if (header.size() > version_00_size && (version == 0 || header[version_00_size] != '-')) { return false; }
    return read_trace_id(header.substr(3, 32), context.trace) && read_hex(header.substr(36, 16), context.span) &&
           context.trace.is_valid() && context.span != 0;
}

// Any text to 128 bits: two independent mixes of one 64-bit hash would collide together, so the second hash is seeded.
trace_id hash_to_trace_id(std::string_view text) noexcept {
    std::uint64_t seeded = 0x6D656D7761746368ULL;
    for (const char c : text) { seeded = combine_hash(seeded, static_cast<unsigned char>(c)); }
    return {hash_text(text), seeded | 1U};
}

trace_context context_for(std::string_view traceparent_or_id, std::string_view route) noexcept {
    trace_context context = trace_context::current();
    if (!traceparent_or_id.empty()) {
        context.span = 0;
        if (!read_traceparent(traceparent_or_id, context) && !read_trace_id(traceparent_or_id, context.trace)) {
            context.trace = hash_to_trace_id(traceparent_or_id);
            context.span = 0;
        }
    }
    if (!route.empty()) { context.route = intern_route(route); }
    return context;
}

trace_context context_for(trace_id trace, std::string_view route) noexcept {
    trace_context context = trace_context::current();
    context.trace = trace;
    context.span = 0;
    if (!route.empty()) { context.route = intern_route(route); }
    return context;
}

constexpr std::size_t route_text_bytes = route_table::capacity * 64;
constexpr std::size_t max_route_bytes = 200;

}  // namespace

route_table::route_table(loss_counters& losses) noexcept
    : losses_(losses),
      names_(platform::reserve_memory(string_table::memory_bytes(capacity, route_text_bytes)), capacity, route_text_bytes) {
    static_cast<void>(names_.intern("other", 0));
}

route_id route_table::intern(std::string_view route) noexcept {
    const std::uint32_t full = capacity + 1;
    const std::uint32_t id = names_.intern(route.substr(0, max_route_bytes), full);
    if (id != full) { return static_cast<route_id>(id); }
    losses_.count(drop_reason::route_table_full);
    return other;
}

trace_context trace_context::current() noexcept { return detail::home_block().context; }

result<trace_context> parse_traceparent(std::string_view header) {
    trace_context context;
    if (!read_traceparent(header, context)) {
        return fail(error_code::invalid_argument, "not a W3C traceparent header", std::string(header.substr(0, 64)));
    }
    return context;
}

route_id intern_route(std::string_view route) noexcept { return process_capture().routes.intern(route); }

void context_scope::attach(const trace_context& previous) noexcept {
    previous_ = previous;
    detail::home_block().context = mine_;
    is_attached_ = true;
}

context_scope::context_scope(const trace_context& context) noexcept : mine_(context) {
    const thread_block& self = detail::home_block();
    if (platform::is_on_this_stack(this)) {
        thread_ = &self;
    } else if (self.is_carried == 0) {
        process_capture().losses.count(degradation::context_unattached);
        return;
    }
    attach(self.context);
}

// Outside of carried work nobody puts the thread's own context back when the coroutine is suspended; so it is not taken along.
context_scope::context_scope(carried_t, const trace_context& context) noexcept : mine_(context) {
    attach(detail::is_carried() ? detail::home_block().context : trace_context{});
}

context_scope::~context_scope() {
    if (!is_attached_) { return; }
    thread_block& self = detail::home_block();
    if (self.context == mine_ || thread_ == &self) {
        self.context = previous_;
        return;
    }
    process_capture().losses.count(degradation::context_moved);
    // On a fiber that changed threads: what is here may be what another one left. In a coroutine's frame: what is here is the
    // thread's own, because an adapter leaves nothing behind.
    if (thread_ != nullptr) { self.context = {}; }
}

namespace detail {

thread_context exchange_context(const thread_context& next) noexcept {
    thread_block& self = home_block();
    const thread_context before{self.context, self.is_carried != 0};
    self.context = next.context;
    self.is_carried = next.is_carried ? 1 : 0;
    return before;
}

trace_context exchange_context(const trace_context& next) noexcept {
    thread_block& self = home_block();
    const trace_context before = self.context;
    self.context = next;
    return before;
}

bool is_carried() noexcept { return home_block().is_carried != 0; }

}  // namespace detail

trace_scope::trace_scope(std::string_view traceparent_or_id, std::string_view route) noexcept
    : scope_(context_for(traceparent_or_id, route)) {}

trace_scope::trace_scope(carried_t how, std::string_view traceparent_or_id, std::string_view route) noexcept
    : scope_(how, context_for(traceparent_or_id, route)) {}

trace_scope::trace_scope(trace_id trace, std::string_view route) noexcept : scope_(context_for(trace, route)) {}

trace_scope::~trace_scope() {
    if (scope_.is_outermost()) { process_capture().tags.count_completed_trace(detail::home_block().row); }
}

}  // namespace v1
}  // namespace memwatch
