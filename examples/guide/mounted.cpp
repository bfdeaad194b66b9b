// SPDX-License-Identifier: Apache-2.0
// The three doors to the outside of docs/endpoints.md: a port of memwatch's own, a handler that a host's server calls for each
// request it passes on, and metrics for an Exposer that the host has already.

#include <memwatch/memwatch.hpp>
#include <memwatch/serve/collectable.hpp>
#include <memwatch/serve/http_handler.hpp>
#include <memwatch/serve/server.hpp>

#include <prometheus/metric_family.h>

#include <cstdio>
#include <cstdlib>

int main() {
    ::setenv("MEMWATCH_LISTEN", "127.0.0.1:0", 0);  // several of these may run at once
    // [doors]
    auto session = memwatch::session::start({.service = "orders"});
    auto server = memwatch::server::start(session);  // its own port and thread
    auto handler = memwatch::http_handler(session);  // or: http_request -> http_response, to mount anywhere
    auto metrics = memwatch::collectable(session);   // or: only the metrics, exposer.RegisterCollectable(metrics)
    // [/doors]
    memwatch::http_request request;
    request.method = "GET";
    request.target = "/debug/memtrace?top=3";
    request.headers = {{"Host", "localhost"}};
    const memwatch::http_response response = handler(request);
    const std::size_t families = metrics->Collect().size();
    std::printf("listening: %d, mounted: %u, metric families: %zu\n", server.status().is_listening ? 1 : 0, response.status,
                families);
    return response.status == 200 && !response.body.empty() && families > 0 ? 0 : 1;
}
