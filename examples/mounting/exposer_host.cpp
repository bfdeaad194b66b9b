// SPDX-License-Identifier: Apache-2.0
// A service that has a prometheus::Exposer already: memwatch's metrics join its page, and the debug routes get an address of
// their own.
//
//   ./exposer-host        prints both ports, serves until its input ends
//
// What to know before doing this:
// - An Exposer and a Registry keep weak references: hold the collectable for as long as it shall be scraped.
// - The Exposer's server (civetweb) ignores SIGPIPE for the whole process and checks neither Host nor Origin; memwatch changes
//   nothing about either.
// - That page is the text format: exemplars are at memwatch's own /metrics only.

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/registry.h>

#include <cstdio>
#include <memory>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/serve/collectable.hpp>
#include <memwatch/serve/server.hpp>

int main() {
    auto session = memwatch::session::start({.service = "exposer-host"});
    const memwatch::tag cache("cache");
    const std::vector<char, memwatch::tracked_allocator<char>> block(4096, 'x', memwatch::tracked_allocator<char>(cache));

    prometheus::Exposer exposer("127.0.0.1:0");
    const auto registry = std::make_shared<prometheus::Registry>();
    prometheus::BuildCounter().Name("orders_total").Help("Orders.").Register(*registry).Add({}).Increment(7);
    exposer.RegisterCollectable(registry);

    const std::shared_ptr<prometheus::Collectable> memwatch_metrics = memwatch::collectable(session);
    exposer.RegisterCollectable(memwatch_metrics);

    memwatch::server_options debug;
    debug.listen = "127.0.0.1:0";
    auto server = memwatch::server::start(session, debug);

    std::printf("{\"port\": %d, \"debug_port\": %d}\n", exposer.GetListeningPorts().front(), server.port());
    std::fflush(stdout);
    while (std::getchar() != EOF) {}
    return 0;
}
