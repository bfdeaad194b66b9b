// SPDX-License-Identifier: Apache-2.0
// Every name of <memwatch/memwatch.hpp> and <memwatch/serve/...> that a service may use, once: compiled with and without
// memwatch (compiled_out.py; and as a program that is linked with it, so that both know the same names).
#include <memwatch/memwatch.hpp>
#include <memwatch/serve/http_handler.hpp>
#include <memwatch/serve/server.hpp>

#include <memory_resource>
#include <string>
#include <vector>

namespace {

struct order {
    int id;
    explicit order(int number) : id(number) {
        if (number < 0) { throw number; }
    }
};

void quiet(memwatch::log_level, std::string_view) {}

bool pools_behave() {
    memwatch::pool_options two;
    two.capacity = 2;
    memwatch::object_pool<order> pool{"two", two};
    auto first = pool.acquire(1);
    order* const raw = pool.acquire_raw(2);
    if (first->id != 1 || raw->id != 2 || pool.acquire(3)) { return false; }
    pool.release(raw);
    try {
        static_cast<void>(pool.acquire(-1));
        return false;
    } catch (int) {}
    const auto moved = std::move(first);
    return moved && pool.acquire(4) && pool.totals().misuses == 0;
}

bool allocators_behave() {
    const memwatch::tag owner{"all"};
    std::vector<int, memwatch::tracked_allocator<int>> v{memwatch::tracked_allocator<int>{owner}};
    v.resize(1000, 7);
    auto copy = v;
    memwatch::tracking_resource counted{owner, std::pmr::new_delete_resource()};
    std::pmr::vector<char> bytes(1000, 'x', &counted);
    return copy == v && v.get_allocator().tag() == owner && counted.upstream() == std::pmr::new_delete_resource() &&
           bytes[999] == 'x';
}

bool contexts_behave() {
    const memwatch::trace_scope request{"4bf92f3577b34da6a3ce929d0e0e4736", "/all"};
    const memwatch::tag_scope label{memwatch::tag{"label"}};
    const memwatch::ignore_scope ignored;
    auto work = memwatch::bind([](int a, int b) { return a + b; });
    const auto attached = memwatch::attach(memwatch::trace_context::current());
    return work(40, 2) == 42 && memwatch::trace_context::current() == memwatch::trace_context::current();
}

}  // namespace

int main() {
    memwatch::set_log_sink(&quiet);
    memwatch::options wanted;
    wanted.service = "all";
    wanted.control = memwatch::control_option::off;
    auto session = memwatch::session::start(wanted);
    memwatch::server_options where;
    where.listen = "127.0.0.1:0";
    auto server = memwatch::server::start(session, where);
    auto pool = memwatch::register_pool("own", [] { return memwatch::pool_stats{}; });
    const auto handler = memwatch::http_handler(session);
    memwatch::http_request request;
    request.method = "GET";
    request.target = "/healthz";
    const bool answers = !handler(request).body.empty();
    session.pause().map([&] { return session.resume(); });
    const auto taken = session.snapshot("all");
    const bool knows = taken.has_value() == (session.status().state != memwatch::session_state::stopped);
    const bool listens = server.status().is_listening == (server.port() != 0);
    server.stop();
    session.stop();
    return pools_behave() && allocators_behave() && contexts_behave() && answers && knows && listens ? 0 : 1;
}
