// SPDX-License-Identifier: Apache-2.0
// The core and the endpoints: a session, a tracked container, /metrics and /debug/memtrace on a free port of the loopback
// interface. C++17. Exit status 0: the server answers.
#include <cstdio>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/serve/server.hpp>

int main() {
    memwatch::options wanted;
    wanted.service = "consumer";
    const memwatch::session session = memwatch::session::start(wanted);

    memwatch::server_options anywhere;
    anywhere.listen = "127.0.0.1:0";
    const memwatch::server server = memwatch::server::start(session, anywhere);
    if (server.port() == 0) {
        std::printf("no server: %s\n", server.status().detail.c_str());
        return 1;
    }
    std::printf("http://127.0.0.1:%u/metrics\n", static_cast<unsigned>(server.port()));

    std::vector<int, memwatch::tracked_allocator<int>> numbers{
        memwatch::tracked_allocator<int>{memwatch::tag{"consumer-numbers"}}};
    numbers.reserve(1000);
    return session.summary().has_value() ? 0 : 1;
}
