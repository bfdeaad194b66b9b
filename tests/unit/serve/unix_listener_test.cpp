// SPDX-License-Identifier: Apache-2.0
// The server on a unix socket: whose file it replaces, which mode it has, what is left behind.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "serve/unix_listener.hpp"
#include "unit/serve/plain_client.hpp"

using namespace memwatch_test;

namespace {

class folder {
public:
    folder() {
        char name[] = "/tmp/memwatch-unix.XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path_ = name;
    }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;
    ~folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

serve::listen_address at(const std::string& path) { return *serve::parse_listen_address("unix:" + path); }

memwatch::result<std::unique_ptr<serve::http_server>> try_start(const std::string& path) {
    return serve::http_server::start(at(path), memwatch::http_handler_function(&echo));
}

struct stat status_of(const std::string& path) {
    struct stat out {};
    CHECK(::lstat(path.c_str(), &out) == 0);
    return out;
}

// A socket that a process left behind: bound, then closed without unlink.
void leave_behind(const std::string& path) {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::close(descriptor);
}

// A process that waits for `go` to close, listens, tells 'y' or 'n', and lives on until it is ended.
pid_t fork_starter(const std::string& path, const int (&go)[2], int tell) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child != 0) { return child; }
    ::alarm(60);
    ::close(go[1]);
    char word = 0;
    static_cast<void>(!::read(go[0], &word, 1));
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    word = serve::listen_at_unix_path(listener, path, 4) ? 'y' : 'n';
    static_cast<void>(!::write(tell, &word, 1));
    for (;;) { ::pause(); }
}

// How many of `starters` processes that start at once say that they listen, and whether somebody does in the end.
std::pair<int, bool> race(const std::string& path, int starters) {
    int go[2];
    int told[2];
    REQUIRE(::pipe(go) == 0);
    REQUIRE(::pipe(told) == 0);
    std::vector<pid_t> children;
    for (int i = 0; i < starters; ++i) { children.push_back(fork_starter(path, go, told[1])); }
    ::close(go[0]);
    ::close(go[1]);
    int winners = 0;
    for (int i = 0; i < starters; ++i) {
        char word = 0;
        pollfd awaited{told[0], POLLIN, 0};
        REQUIRE(::poll(&awaited, 1, 30'000) == 1);
        REQUIRE(::read(told[0], &word, 1) == 1);
        winners += word == 'y' ? 1 : 0;
    }
    const int probe = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const bool is_alive = ::connect(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    ::close(told[0]);
    ::close(told[1]);
    for (const pid_t child : children) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
    return {winners, is_alive};
}

}  // namespace

TEST_CASE("unix_listener: of processes that start at once over a leftover exactly one listens, and it can be reached") {
    const folder where;
    const std::string path = where / "http.sock";
    for (int round = 0; round < 150; ++round) {  // what the last round's winner leaves is this one's leftover
        INFO("round " << round);
        const auto [winners, is_alive] = race(path, 4);
        REQUIRE(winners == 1);
        REQUIRE(is_alive);
        CHECK((status_of(path).st_mode & 07777U) == 0600);
    }
    CHECK(std::distance(std::filesystem::directory_iterator(std::filesystem::path(path).parent_path()), {}) == 1);
}

TEST_CASE("unix_listener: a stranger who keeps the folder locked delays a start and does not prevent it") {
    const folder where;
    const int stranger = ::open((where / "").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(::flock(stranger, LOCK_EX) == 0);
    CHECK(try_start(where / "http.sock"));
    ::close(stranger);
}

TEST_CASE("unix_listener: answers, is this user's alone whatever the umask, and is removed at stop") {
    const folder where;
    const std::string path = where / "http.sock";
    const mode_t umask_before = ::umask(0);
    auto server = try_start(path);
    ::umask(umask_before);
    REQUIRE(server);
    CHECK((status_of(path).st_mode & 07777U) == 0600);
    CHECK((*server)->address().to_string() == "unix:" + path);
    client c((*server)->address());
    REQUIRE(c.send(get("/hello")));
    CHECK(contains(c.receive("/hello"), "200 OK"));
    (*server)->stop();
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("unix_listener: the handler learns that the peer is this user, and of TCP peers nothing") {
    const folder where;
    for (const auto& [listen, is_own] :
         {std::pair{at(where / "s"), true}, {*serve::parse_listen_address("127.0.0.1:0"), false}}) {
        const auto server =
            serve::http_server::start(listen, [](const memwatch::http_request&, const serve::requester& who) -> serve::outcome {
                return memwatch::http_response{200, {{"Content-Type", "text/plain"}}, who.is_own_user ? "own!" : "else"};
            });
        REQUIRE(server);
        client c((*server)->address());
        REQUIRE(c.send(get("/")));
        CHECK(contains(c.receive(is_own ? "own!" : "else"), "200 OK"));
    }
}

TEST_CASE("unix_listener: a leftover is replaced; what is alive, a file, a link or a folder stays and is an error") {
    const folder where;
    const std::string path = where / "http.sock";
    leave_behind(path);
    const auto first = try_start(path);
    REQUIRE(first);
    const auto second = try_start(path);
    REQUIRE_FALSE(second);
    CHECK(contains(second.error().message(), "somebody listens there already"));
    client c((*first)->address());
    REQUIRE(c.send(get("/still")));
    CHECK(contains(c.receive("/still"), "200 OK"));

    std::ofstream(where / "file") << "precious";
    CHECK(contains(try_start(where / "file").error().message(), "no socket"));
    std::string content;
    std::ifstream(where / "file") >> content;
    CHECK(content == "precious");
    std::filesystem::create_symlink(path, where / "link");
    CHECK_FALSE(try_start(where / "link"));
    CHECK(std::filesystem::is_symlink(where / "link"));
    std::filesystem::create_directory(where / "folder");
    CHECK_FALSE(try_start(where / "folder"));
    CHECK_FALSE(try_start(where / "no-such-folder/x"));
}

TEST_CASE("unix_listener: a name that somebody else has taken meanwhile is not removed at stop") {
    const folder where;
    const std::string path = where / "http.sock";
    auto server = try_start(path);
    REQUIRE(server);
    ::unlink(path.c_str());
    std::ofstream(path) << "another's";
    (*server)->stop();
    CHECK(std::filesystem::exists(path));
}

TEST_CASE("unix_listener: a forked child neither serves nor removes it") {
    const folder where;
    const std::string path = where / "http.sock";
    auto server = try_start(path);
    REQUIRE(server);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        (*server)->stop();
        server->reset();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
    REQUIRE(std::filesystem::exists(path));
    client c((*server)->address());
    REQUIRE(c.send(get("/parent")));
    CHECK(contains(c.receive("/parent"), "200 OK"));
}
