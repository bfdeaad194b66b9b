// SPDX-License-Identifier: Apache-2.0
// A service with a server of its own (cpp-httplib) that lends memwatch a few routes: no second port, no second thread.
//
//   ./httplib-host        prints its port, serves until its input ends
//
// What to know before doing this:
// - `seconds=N` sleeps on the thread that runs the handler: the server needs more than one.
// - memwatch checks the Origin and asks for its token before it changes anything; who may read /debug is the host's business,
//   so a host that listens beyond loopback puts its own check in front of `forward`.
// - cpp-httplib ignores SIGPIPE for the whole process; memwatch's own server does not touch it.

#include <httplib.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <memwatch/memwatch.hpp>
#include <memwatch/serve/http_handler.hpp>

namespace {

memwatch::http_request to_memwatch(const httplib::Request& from) {
    return {from.method, from.target, {from.headers.begin(), from.headers.end()}, from.body};
}

void to_httplib(memwatch::http_response answer, httplib::Response& to) {
    to.status = static_cast<int>(answer.status);
    for (const auto& [name, value] : answer.headers) { to.set_header(name.c_str(), value); }
    to.body = std::move(answer.body);  // set_content() would add a second Content-Type
}

}  // namespace

int main() {
    auto session = memwatch::session::start({.service = "httplib-host"});
    const memwatch::tag cache("cache");
    const std::vector<char, memwatch::tracked_allocator<char>> block(4096, 'x', memwatch::tracked_allocator<char>(cache));

    httplib::Server server;
    server.Get("/",
               [](const httplib::Request&, httplib::Response& to) { to.set_content("the service itself\n", "text/plain"); });
    const auto forward = [mounted = memwatch::http_handler(session)](const httplib::Request& from, httplib::Response& to) {
        to_httplib(mounted(to_memwatch(from)), to);
    };
    for (const char* const routes : {"/metrics", "/healthz", "/debug/.*"}) {
        server.Get(routes, forward);  // HEAD, too
        server.Post(routes, forward);
    }

    const int port = server.bind_to_any_port("127.0.0.1");
    std::thread serving([&] { server.listen_after_bind(); });
    std::printf("{\"port\": %d}\n", port);
    std::fflush(stdout);
    while (std::getchar() != EOF) {}
    server.stop();
    serving.join();
    return 0;
}
