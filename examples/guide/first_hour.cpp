// SPDX-License-Identifier: Apache-2.0
// A service in miniature for docs/getting-started.md: everything the page shows of the SDK stands here, compiled and run.

#include <memwatch/memwatch.hpp>
#include <memwatch/serve/server.hpp>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory_resource>
#include <queue>
#include <scoped_allocator>
#include <string>
#include <thread>
#include <vector>

namespace {

struct order {
    int id;
    char notes[60];
};

struct arena {
    char bytes[4096];
};

// [tags]
memwatch::tag cache{"order-cache"};

using order_list = std::vector<order, memwatch::tracked_allocator<order>>;
order_list orders{memwatch::tracked_allocator<order>{cache}};                                  // a container
memwatch::tracking_resource memory{memwatch::tag{"bodies"}, std::pmr::new_delete_resource()};  // std::pmr
memwatch::object_pool<arena> arenas{"request-arenas", {.capacity = 256}};                      // a pool
// [/tags]

// [nested]
using note = std::basic_string<char, std::char_traits<char>, memwatch::tracked_allocator<char>>;
using note_allocator = std::scoped_allocator_adaptor<memwatch::tracked_allocator<std::pair<const int, note>>>;
std::map<int, note, std::less<>, note_allocator> notes{memwatch::tracked_allocator<char>{memwatch::tag{"notes"}}};
// [/nested]

std::queue<std::function<void()>> work;

void remember(int id) { orders.push_back(order{id, {}}); }

void handle(const std::string& traceparent_header, int id) {
    // [trace]
    const memwatch::trace_scope scope{traceparent_header, "/api/v2/orders"};
    work.push(memwatch::bind([id] { remember(id); }));  // whoever runs it works for this request
    // [/trace]
}

bool is_there(const memwatch::snapshot& s, const char* tag, std::uint64_t live_objects) {
    for (const memwatch::tag_totals& each : s.tags) {
        if (each.name == tag) { return each.live_objects() == live_objects; }
    }
    return false;
}

}  // namespace

int main() {
    ::setenv("MEMWATCH_LISTEN", "127.0.0.1:0", 0);  // several of these may run at once
    // [start]
    auto session = memwatch::session::start({.service = "orders"});
    auto server = memwatch::server::start(session, {});  // 127.0.0.1:9467; {.listen = "127.0.0.1:0"} takes any free port
    // [/start]
    std::printf("http://%s/debug/memtrace\n", server.status().address.c_str());

    for (int id = 0; id < 100; ++id) { handle("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", id); }
    std::thread worker([] {
        for (; !work.empty(); work.pop()) { work.front()(); }
    });
    worker.join();
    const std::pmr::vector<char> body(1 << 20, 'x', &memory);
    const auto scratch = arenas.acquire();
    notes[1] = "longer than a string keeps within itself, so it allocates";

    const auto taken = session.snapshot("end");
    const bool is_fine = taken && is_there(*taken, "order-cache", 1) && is_there(*taken, "bodies", 1) &&
                         is_there(*taken, "notes", 2) && is_there(*taken, "request-arenas", 1);
    std::printf("%s\n", is_fine ? "counted, each of them" : "something is not counted");
    return is_fine ? 0 : 1;
}
