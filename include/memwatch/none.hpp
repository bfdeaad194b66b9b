// SPDX-License-Identifier: Apache-2.0
#pragma once
// memwatch compiled out: the names of <memwatch/memwatch.hpp>, <memwatch/serve/...> and <memwatch/adapters/...> with empty
// inline bodies. Nothing of memwatch is linked, nothing is counted, nothing costs anything; the program that uses memwatch
// compiles and runs as it is.
//
//   c++ -DMEMWATCH_DISABLE service.cpp          every header of memwatch that a service includes becomes this one
//
// A session is stopped and says why; snapshots are unavailable; an allocator is std::allocator, a resource its upstream, a pool
// operator new within its capacity; contexts and tags are none. What needs the library all the same: work on dumps
// (memwatch/snapshot/codec.hpp, memwatch/diff/diff.hpp). C++17, as the rest.
// All of it stands in a namespace of its own (memwatch::none, inline), the plain values from the same headers as ever included:
// a file that is compiled this way may be linked with files that are not. Checked by tests/contract/compiled_out.py.

#pragma push_macro("v1")
#undef v1
#define v1 none  // NOLINT(readability-identifier-naming)
#include <memwatch/model/snapshot.hpp>
#include <memwatch/model/trace_id.hpp>
#include <memwatch/options.hpp>
#pragma pop_macro("v1")

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace memwatch {
inline namespace none {

namespace detail {

inline constexpr const char* compiled_out = "memwatch is compiled out (MEMWATCH_DISABLE)";

[[nodiscard]] inline auto nothing_here() { return fail(error_code::unavailable, compiled_out); }

}  // namespace detail

inline result<void> snapshot::write_to(const std::string&) const { return detail::nothing_here(); }

// --- model/verdict.hpp: there is none that a word could be of

inline std::string_view word_of(verdict_class) noexcept { return {}; }
inline std::string_view word_of(verdict_level) noexcept { return {}; }
inline std::string_view word_of(verdict_severity) noexcept { return {}; }
inline std::string_view word_of(verdict_doubt) noexcept { return {}; }
inline std::string_view word_of(verdict_subject) noexcept { return {}; }
inline std::string_view word_of(verdict_feature_kind) noexcept { return {}; }

// --- base/log.hpp

enum class log_level { warning, info };
using log_sink = void (*)(log_level level, std::string_view line);
inline void set_log_sink(log_sink) noexcept {}

// --- session.hpp. Destructors have bodies, so that what nobody looks at is no unused variable; what moves is not copied.

enum class session_state { running, degraded, stopped };

struct session_status {
    session_state state{session_state::stopped};
    std::string detail;
};

using verdict_function = void (*)(const verdict& changed, const snapshot& seen, void* context) noexcept;

class session {
public:
    [[nodiscard]] static session start(const options& = {}) noexcept { return {}; }

    session() noexcept = default;
    session(session&&) noexcept {}
    session& operator=(session&&) noexcept { return *this; }
    ~session() {}  // NOLINT(modernize-use-equals-default)
    void stop() noexcept {}
    [[nodiscard]] session_status status() const { return {session_state::stopped, detail::compiled_out}; }
    result<void> set_preset(preset_option, std::uint64_t = 0) { return detail::nothing_here(); }
    result<void> set_interval(std::uint64_t) { return detail::nothing_here(); }
    result<void> set(const std::vector<std::pair<std::string, std::string>>&) { return detail::nothing_here(); }
    result<void> set_sampler(sampler_function, void* = nullptr) { return detail::nothing_here(); }
    result<void> pause() { return detail::nothing_here(); }
    result<void> resume() { return detail::nothing_here(); }
    result<std::uint64_t> mark_baseline() { return detail::nothing_here(); }
    [[nodiscard]] result<memwatch::snapshot> snapshot(std::string_view = {}) const { return detail::nothing_here(); }
    [[nodiscard]] result<memwatch::snapshot> summary() const { return detail::nothing_here(); }
    void on_verdict(verdict_function, void* = nullptr) noexcept {}
    void name_functions(memwatch::snapshot&, std::size_t = 20) const {}
    [[nodiscard]] options effective_options() const { return {}; }
};

// --- capture/

using tag_id = std::uint16_t;
using route_id = std::uint16_t;

class tag {
public:
    constexpr tag() noexcept = default;
    explicit tag(std::string_view) noexcept {}
    tag(std::string_view, double) noexcept {}
    [[nodiscard]] constexpr tag_id id() const noexcept { return 0; }
    [[nodiscard]] std::string_view name() const noexcept { return {}; }
    [[nodiscard]] tag_totals totals() const { return {}; }
    friend constexpr bool operator==(tag, tag) noexcept { return true; }
    friend constexpr bool operator!=(tag, tag) noexcept { return false; }
};

struct trace_context {
    trace_id trace;
    std::uint64_t span{};
    route_id route{};
    tag_id tag{};

    [[nodiscard]] static trace_context current() noexcept { return {}; }
    friend constexpr bool operator==(const trace_context& a, const trace_context& b) noexcept {
        return a.trace == b.trace && a.span == b.span && a.route == b.route && a.tag == b.tag;
    }
    friend constexpr bool operator!=(const trace_context& a, const trace_context& b) noexcept { return !(a == b); }
};

[[nodiscard]] inline result<trace_context> parse_traceparent(std::string_view) { return detail::nothing_here(); }
[[nodiscard]] inline route_id intern_route(std::string_view) noexcept { return 0; }

struct carried_t {};
inline constexpr carried_t carried{};

class [[nodiscard]] context_scope {
public:
    explicit context_scope(const trace_context&) noexcept {}
    context_scope(carried_t, const trace_context&) noexcept {}
    ~context_scope() {}  // NOLINT(modernize-use-equals-default)
    context_scope(const context_scope&) = delete;
    context_scope& operator=(const context_scope&) = delete;
};

[[nodiscard]] inline context_scope attach(const trace_context& context) noexcept { return context_scope(context); }

class [[nodiscard]] trace_scope {
public:
    explicit trace_scope(std::string_view, std::string_view = {}) noexcept {}
    explicit trace_scope(trace_id, std::string_view = {}) noexcept {}
    trace_scope(carried_t, std::string_view, std::string_view = {}) noexcept {}
    ~trace_scope() {}  // NOLINT(modernize-use-equals-default)
    trace_scope(const trace_scope&) = delete;
    trace_scope& operator=(const trace_scope&) = delete;
};

class [[nodiscard]] tag_scope {
public:
    explicit tag_scope(tag) noexcept {}
    tag_scope(carried_t, tag) noexcept {}
    ~tag_scope() {}  // NOLINT(modernize-use-equals-default)
    tag_scope(const tag_scope&) = delete;
    tag_scope& operator=(const tag_scope&) = delete;
};

class [[nodiscard]] ignore_scope {
public:
    ignore_scope() noexcept {}  // NOLINT(modernize-use-equals-default)
    ~ignore_scope() {}          // NOLINT(modernize-use-equals-default)
    ignore_scope(const ignore_scope&) = delete;
    ignore_scope& operator=(const ignore_scope&) = delete;
};

namespace detail {  // what memwatch/adapters/ stand on

struct thread_context {
    trace_context context;
    bool is_carried{};
};
inline thread_context exchange_context(const thread_context&) noexcept { return {}; }
inline trace_context exchange_context(const trace_context&) noexcept { return {}; }
[[nodiscard]] inline bool is_carried() noexcept { return false; }

class [[nodiscard]] carried_run {
public:
    explicit carried_run(const trace_context&) noexcept {}
    ~carried_run() {}  // NOLINT(modernize-use-equals-default)
    carried_run(const carried_run&) = delete;
    carried_run& operator=(const carried_run&) = delete;
};

inline void count_allocation(tag_id, std::size_t) noexcept {}
inline void count_free(tag_id, std::size_t) noexcept {}

}  // namespace detail

template <class Function>
[[nodiscard]] auto bind(Function&& function) {
    return [function = std::forward<Function>(function)](auto&&... arguments) mutable -> decltype(auto) {
        return function(std::forward<decltype(arguments)>(arguments)...);
    };
}

// --- alloc/

template <class Type>
class tracked_allocator : public std::allocator<Type> {
public:
    using propagate_on_container_copy_assignment = std::true_type;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;
    using is_always_equal = std::true_type;
    template <class Other>
    struct rebind {
        using other = tracked_allocator<Other>;
    };

    constexpr tracked_allocator() noexcept = default;
    constexpr explicit tracked_allocator(memwatch::tag) noexcept {}
    template <class Other>
    constexpr tracked_allocator(const tracked_allocator<Other>&) noexcept {}
    [[nodiscard]] constexpr memwatch::tag tag() const noexcept { return {}; }
};

class tracking_resource final : public std::pmr::memory_resource {
public:
    explicit tracking_resource(memwatch::tag, std::pmr::memory_resource* upstream = nullptr) noexcept
        : upstream_(upstream != nullptr ? upstream : std::pmr::get_default_resource()) {}
    tracking_resource(const tracking_resource&) = delete;
    tracking_resource& operator=(const tracking_resource&) = delete;
    [[nodiscard]] memwatch::tag tag() const noexcept { return {}; }
    [[nodiscard]] std::pmr::memory_resource* upstream() const noexcept { return upstream_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override { return upstream_->allocate(bytes, alignment); }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        upstream_->deallocate(block, bytes, alignment);
    }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

    std::pmr::memory_resource* upstream_;
};

[[nodiscard]] inline tracking_resource* resource(memwatch::tag) {
    static auto& it = *new tracking_resource({}, std::pmr::new_delete_resource());
    return &it;
}

struct pool_options {
    std::size_t capacity = 1024;
    bool can_grow = false;
    memwatch::tag tag{};
    std::pmr::memory_resource* upstream = nullptr;
};

// Operator new, within the capacity.
template <class Type>
class object_pool {
    struct shared {
        explicit shared(std::size_t most) noexcept : limit(most) {}
        // A place for one object, now or before `until`; null: as long as it takes.
        template <class Time>
        [[nodiscard]] bool take(const Time* until) {
            std::unique_lock<std::mutex> guard(mutex);
            const auto is_free = [&] { return in_use < limit; };
            if (until == nullptr) {
                freed.wait(guard, is_free);
            } else if (!freed.wait_until(guard, *until, is_free)) {
                return false;
            }
            ++in_use;
            return true;
        }
        void give_back() noexcept {
            {
                const std::lock_guard<std::mutex> guard(mutex);
                --in_use;
            }
            freed.notify_one();
        }

        const std::size_t limit;
        std::size_t in_use{0};  // guarded by mutex
        std::mutex mutex;
        std::condition_variable freed;
    };
    using clock = std::chrono::steady_clock;

public:
    class handle {
    public:
        handle() noexcept = default;
        handle(handle&& other) noexcept : pool_(std::move(other.pool_)), object_(std::exchange(other.object_, nullptr)) {}
        handle& operator=(handle&& other) noexcept {
            if (this != &other) {
                reset();
                pool_ = std::move(other.pool_);
                object_ = std::exchange(other.object_, nullptr);
            }
            return *this;
        }
        ~handle() { reset(); }
        [[nodiscard]] Type* get() const noexcept { return object_; }
        [[nodiscard]] Type& operator*() const noexcept { return *object_; }
        [[nodiscard]] Type* operator->() const noexcept { return object_; }
        [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
        [[nodiscard]] Type* release() noexcept { return std::exchange(object_, nullptr); }
        void reset() noexcept {
            if (object_ == nullptr) { return; }
            delete std::exchange(object_, nullptr);
            pool_->give_back();
        }

    private:
        friend class object_pool;
        handle(std::shared_ptr<shared> pool, Type* object) noexcept : pool_(std::move(pool)), object_(object) {}
        std::shared_ptr<shared> pool_;
        Type* object_{};
    };

    explicit object_pool(std::string_view, const pool_options& wanted = {})
        : shared_(std::make_shared<shared>(wanted.can_grow ? std::numeric_limits<std::size_t>::max() : wanted.capacity)) {}
    object_pool(const object_pool&) = delete;
    object_pool& operator=(const object_pool&) = delete;

    template <class... Arguments>
    [[nodiscard]] handle acquire(Arguments&&... arguments) {
        return handle(shared_, acquire_raw(std::forward<Arguments>(arguments)...));
    }
    template <class... Arguments>
    [[nodiscard]] Type* acquire_raw(Arguments&&... arguments) {
        const clock::time_point now = clock::now();
        return shared_->take(&now) ? make(std::forward<Arguments>(arguments)...) : nullptr;
    }
    template <class Duration, class... Arguments>
    [[nodiscard]] handle acquire_for(const Duration& patience, Arguments&&... arguments) {
        const clock::time_point until = clock::now() + std::chrono::duration_cast<clock::duration>(patience);
        return shared_->take(&until) ? handle(shared_, make(std::forward<Arguments>(arguments)...)) : handle();
    }
    template <class... Arguments>
    [[nodiscard]] handle acquire_wait(Arguments&&... arguments) {
        static_cast<void>(shared_->template take<clock::time_point>(nullptr));
        return handle(shared_, make(std::forward<Arguments>(arguments)...));
    }
    void release(Type* object) noexcept {
        if (object == nullptr) { return; }
        delete object;
        shared_->give_back();
    }
    std::size_t shrink() noexcept { return 0; }
    [[nodiscard]] pool_totals totals() const { return {}; }
    [[nodiscard]] std::string_view name() const noexcept { return {}; }

private:
    template <class... Arguments>
    [[nodiscard]] Type* make(Arguments&&... arguments) {
        try {
            return new Type(std::forward<Arguments>(arguments)...);
        } catch (...) {
            shared_->give_back();
            throw;
        }
    }

    std::shared_ptr<shared> shared_;
};

struct pool_stats {
    std::uint64_t capacity{}, in_use{}, high_water{}, acquires{}, hits{}, acquire_failures{}, object_bytes{};
    std::uint64_t storage_bytes{}, waiters{}, most_waiters{}, waits{}, wait_ns{}, oldest_checkout_ns{};
    trace_id oldest_trace{};
};
class upstream_edge {
public:
    upstream_edge() noexcept = default;
    upstream_edge(memwatch::tag) noexcept {}
    template <class Type>
    upstream_edge(const object_pool<Type>&) noexcept {}
    [[nodiscard]] static upstream_edge pool_named(std::string_view) { return {}; }
};
struct registered_pool_options {
    upstream_edge upstream{};
};
// Each block from operator new.
class pool_resource final : public std::pmr::memory_resource {
public:
    template <class Type>
    explicit pool_resource(object_pool<Type>&) noexcept {}

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
    }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return dynamic_cast<const pool_resource*>(&other) != nullptr;
    }
};
class [[nodiscard]] pool_registration {
public:
    pool_registration() noexcept = default;
    pool_registration(pool_registration&&) noexcept {}
    pool_registration& operator=(pool_registration&&) noexcept { return *this; }
    ~pool_registration() {}  // NOLINT(modernize-use-equals-default)
};
template <class Stats>
pool_registration register_pool(std::string_view, Stats&&, registered_pool_options = {}) {
    return {};
}

// --- remedies.hpp

struct remedy_trigger {
    verdict_level level{verdict_level::none};
    std::string tag;
    bool on_pressure{false};
    bool only_critical{false};
};
struct remedy_limits {
    bool is_dry_run{true};
    std::uint64_t least_interval_ns{60'000'000'000};
};
struct remedy_record {
    std::string remedy;
    std::string reason;
    bool is_dry_run{};
    std::uint64_t time_unix_ns{};
    std::uint64_t took_ns{};
    std::uint64_t resident_before{};
    std::uint64_t resident_after{};
    std::uint64_t said_bytes{};
};
class [[nodiscard]] remedy_registration {
public:
    remedy_registration() noexcept = default;
    remedy_registration(remedy_registration&&) noexcept {}
    remedy_registration& operator=(remedy_registration&&) noexcept { return *this; }
    ~remedy_registration() {}  // NOLINT(modernize-use-equals-default)
};
template <class Function>
remedy_registration register_remedy(std::string_view, remedy_trigger, Function&&, remedy_limits = {}) {
    return {};
}
inline std::uint64_t release_free_memory() noexcept { return 0; }
inline std::vector<remedy_record> remedy_log() { return {}; }

// --- serve/

struct server_options {
#define MEMWATCH_SERVER_OPTION(type, member, default_value, environment, changes, least, most, unit, help) \
    type member = default_value;
#include <memwatch/server_options.def>
};

struct server_status {
    bool is_listening{};
    std::string address;
    std::string detail;
    std::string debug_address;
};

class server {
public:
    [[nodiscard]] static server start(const session&, const server_options& = {}) noexcept { return {}; }

    server() noexcept = default;
    server(server&&) noexcept {}
    server& operator=(server&&) noexcept { return *this; }
    ~server() {}  // NOLINT(modernize-use-equals-default)
    void stop() noexcept {}
    [[nodiscard]] server_status status() const { return {false, {}, detail::compiled_out, {}}; }
    [[nodiscard]] std::uint16_t port() const noexcept { return 0; }
};

struct http_request {
    std::string method;
    std::string target;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};
struct http_response {
    unsigned status{200};
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};
using http_handler_function = std::function<http_response(const http_request&)>;

[[nodiscard]] inline http_handler_function http_handler(const session&) {
    return [](const http_request&) {
        return http_response{503, {{"Content-Type", "text/plain; charset=utf-8"}}, std::string(detail::compiled_out) + "\n"};
    };
}

}  // namespace none
}  // namespace memwatch
