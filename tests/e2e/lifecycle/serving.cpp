// SPDX-License-Identifier: Apache-2.0
// A process that ends, or forks, while its server answers.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <memwatch/memwatch.hpp>
#include <memwatch/serve/server.hpp>

namespace {

memwatch::server serve(const memwatch::session& session) {
    memwatch::server_options anywhere;
    anywhere.listen = "127.0.0.1:0";
    return memwatch::server::start(session, anywhere);
}

memwatch::session start() {
    memwatch::options wanted;
    wanted.preset = memwatch::preset_option::full;
    return memwatch::session::start(wanted);
}

// The status line of GET /metrics; empty when nobody answers (any more).
std::string scrape(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer;
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        constexpr std::string_view request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        static_cast<void>(!send(fd, request.data(), request.size(), MSG_NOSIGNAL));
        char piece[4096];
        for (ssize_t got = 0; (got = recv(fd, piece, sizeof piece, 0)) > 0;) {
            answer.append(piece, static_cast<std::size_t>(got));
        }
    }
    close(fd);
    return answer.substr(0, answer.find('\r'));
}

bool answers(const memwatch::server& server) { return scrape(server.port()) == "HTTP/1.1 200 OK"; }

// Destroyed after main, in the order in which they are not made: the server before its session, and the other way round.
std::optional<memwatch::server> server_that_goes_last;
std::optional<memwatch::session> the_session;
std::optional<memwatch::server> server_that_goes_first;

int server_in_a_static(std::optional<memwatch::server>& place) {
    the_session = start();
    place = serve(*the_session);
    return answers(*place) ? 0 : 1;
}

int exit_while_scraped() {
    the_session = start();
    server_that_goes_first = serve(*the_session);
    static std::atomic<int> scrapes{0};
    for (int t = 0; t < 3; ++t) {
        std::thread([port = server_that_goes_first->port()] {
            for (;;) { scrapes += scrape(port).empty() ? 0 : 1; }
        }).detach();
    }
    while (scrapes < 20) { std::this_thread::yield(); }
    std::thread([] { std::exit(0); }).join();
    return 1;
}

int quick_exit_while_scraped() {
    the_session = start();
    server_that_goes_first = serve(*the_session);
    static std::atomic<int> scrapes{0};
    std::thread([port = server_that_goes_first->port()] {
        for (;;) { scrapes += scrape(port).empty() ? 0 : 1; }
    }).detach();
    while (scrapes < 5) { std::this_thread::yield(); }
    std::quick_exit(0);
}

// The child has no server of its own; its end leaves the parent's alone.
int fork_with_server() {
    the_session = start();
    server_that_goes_first = serve(*the_session);
    for (int i = 0; i < 5; ++i) {
        const pid_t child = fork();
        if (child == 0) { i % 2 == 0 ? std::exit(0) : _exit(0); }
        int status = -1;
        if (waitpid(child, &status, 0) != child || status != 0) { return 1; }
        if (!answers(*server_that_goes_first)) { return 2; }
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    alarm(30);
    const std::string_view mode = argc > 1 ? argv[1] : "";
    if (mode == "server-before-its-session") { return server_in_a_static(server_that_goes_first); }
    if (mode == "session-before-its-server") { return server_in_a_static(server_that_goes_last); }
    if (mode == "exit-while-scraped") { return exit_while_scraped(); }
    if (mode == "quick-exit-while-scraped") { return quick_exit_while_scraped(); }
    if (mode == "fork-with-server") { return fork_with_server(); }
    std::fprintf(stderr, "usage: serving MODE\n");
    return 2;
}
