// SPDX-License-Identifier: Apache-2.0
// Server and client in one process: what gets through, and what strangers, stallers and hosts that close everything can do.
#include "control/server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "control/client.hpp"
#include "control/endpoint.hpp"
#include "platform/platform.hpp"

using namespace memwatch;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

std::uint64_t self() { return static_cast<std::uint64_t>(::getpid()); }

result<std::string> echo(const control::request& r) {
    if (r.command == "fail") { return fail(error_code::unsupported, "cannot", "echo"); }
    if (r.command == "big") { return std::string(std::stoul(*r.find("bytes")), 'b'); }
    return control::to_line(r);
}

// Serves from a thread of its own until it goes away, as the worker does.
class served {
public:
    served() {
        char name[] = "/tmp/memwatch-control-test-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        folder = name;
        ::setenv("XDG_RUNTIME_DIR", name, 1);  // for the client
        it.set_answer(&echo);
        REQUIRE(it.open(folder));
        path = it.path();
        thread_ = std::thread([this] { loop(); });
    }
    ~served() {
        is_over_ = true;
        thread_.join();
        it.close();
        ::unsetenv("XDG_RUNTIME_DIR");
        fs::remove_all(folder);
    }

    std::string folder;
    std::string path;
    control::server it;                        // the thread's
    std::atomic<std::uint64_t> skipped_ns{0};  // how far the server's clock is ahead
    std::atomic<int> listening{-1};            // its number, when there was no client last

private:
    void loop() {
        while (!is_over_) {
            const std::uint64_t now = platform::monotonic_ns() + skipped_ns;
            static_cast<void>(it.open(folder));
            it.take_client(now);
            it.advance(now);
            platform::awaited_descriptor awaited[1] = {it.awaited()};
            if (it.due_ns() == ~std::uint64_t{0}) { listening = awaited[0].number; }
            platform::wait_for(awaited, 1, 2'000'000);
        }
    }
    std::atomic<bool> is_over_{false};
    std::thread thread_;
};

int connect_raw(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return made;
}

std::string read_all(int from) {
    std::string out;
    char bytes[4096];
    for (ssize_t got = ::recv(from, bytes, sizeof bytes, 0); got > 0; got = ::recv(from, bytes, sizeof bytes, 0)) {
        out.append(bytes, static_cast<std::size_t>(got));
    }
    ::close(from);
    return out;
}

std::string talk(const std::string& path, const std::string& bytes) {
    const int to = connect_raw(path);
    REQUIRE(::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
    return read_all(to);
}

}  // namespace

TEST_CASE("control server: a question is answered, a refusal arrives with its reason", "[control]") {
    const served s;
    CHECK(*control::ask(self(), {"status", {}}) == "status");
    CHECK(*control::ask(self(), {"set", {{"preset", "off"}}}) == "set preset=off");
    const auto refused = control::ask(self(), {"fail", {}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == error_code::unsupported);
    CHECK(refused.error().what == "echo: cannot");
    CHECK(refused.error().where == "pid " + std::to_string(self()));
    CHECK(control::ask(self(), {"two words", {}}).error().code == error_code::invalid_argument);
}

TEST_CASE("control server: large answers come whole, and larger ones than the limit not at all", "[control]") {
    const served s;
    CHECK(control::ask(self(), {"big", {{"bytes", "30000000"}}})->size() == 30'000'000);
    CHECK(control::ask(self(), {"big", {{"bytes", std::to_string(control::max_answer_bytes + 1)}}}).error().code ==
          error_code::limit);
    CHECK(*control::ask(self(), {"status", {}}) == "status");
}

TEST_CASE("control server: hostile bytes get a refusal or nothing, and the next client is served", "[control]") {
    const served s;
    const auto code_of = [](const std::string& answer) { return control::read_answer_header(answer)->code; };
    CHECK(code_of(talk(s.path, "GET / HTTP/1.1\r\n\r\n")) == error_code::unreadable);
    CHECK(code_of(talk(s.path, std::string("MWQ7\x06\0\0\0status", 14))) == error_code::unsupported);
    CHECK(code_of(talk(s.path, std::string("MWQ1\xff\xff\xff\xff", 8))) == error_code::limit);
    CHECK(code_of(talk(s.path, control::frame_request("set set"))) == error_code::invalid_argument);
    const int silent = connect_raw(s.path);
    ::close(silent);
    const int early = connect_raw(s.path);
    REQUIRE(::send(early, "MWQ1", 4, MSG_NOSIGNAL) == 4);
    ::close(early);
    CHECK(*control::ask(self(), {"status", {}}) == "status");
}

TEST_CASE("control server: a client that stalls is dropped by the clock, and others get their turn", "[control]") {
    served s;
    const int silent = connect_raw(s.path);
    platform::awaited_descriptor dropped[1] = {{silent, false, false}};
    while (!dropped[0].is_ready) {  // the clock may have run before the server took the client
        s.skipped_ns += 3 * second;
        platform::wait_for(dropped, 1, 20'000'000);
    }
    CHECK(read_all(silent).empty());
    const int slow = connect_raw(s.path);
    const std::string frame = control::frame_request("big bytes=30000000");
    REQUIRE(::send(slow, frame.data(), frame.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(frame.size()));
    char header[control::answer_header_bytes];
    REQUIRE(::recv(slow, header, sizeof header, MSG_WAITALL) == sizeof header);  // it is writing now, into a full socket
    s.skipped_ns += 6 * second;
    CHECK(*control::ask(self(), {"status", {}}) == "status");
    CHECK(read_all(slow).size() < 30'000'000);
}

TEST_CASE("control server: a host that closes its socket, or takes the number, finds it bound anew and its file untouched",
          "[control]") {
    served s;
    for (int i = 0; i < 5; ++i) {
        while (s.listening < 0) { platform::sleep_ns(1'000'000); }
        const int number = s.listening.exchange(-1);
        int file = -1;
        if (i % 2 == 0) {
            ::syscall(SYS_close, number);  // behind the sanitizers' backs: racing with the owner of a number is the point
        } else {
            file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
            REQUIRE(::syscall(SYS_dup3, file, number, O_CLOEXEC) == number);
        }
        // Refused until the server notices and binds anew.
        auto answer = control::ask(self(), {"status", {}});
        for (int tries = 0; !answer && tries < 1000; ++tries) {
            platform::sleep_ns(10'000'000);
            answer = control::ask(self(), {"status", {}});
        }
        REQUIRE(answer);
        CHECK(*answer == "status");
        if (file >= 0) {
            struct stat info {};
            CHECK((::fstat(number, &info) == 0 && S_ISCHR(info.st_mode)));
            ::close(file);
            ::syscall(SYS_close, number);
        }
    }
}

TEST_CASE("control server: the name is cleared of leftovers, not of others; closing removes our own only", "[control]") {
    std::string path;
    {
        const served s;
        path = s.path;
        struct stat info {};
        REQUIRE(::lstat(path.c_str(), &info) == 0);
        CHECK((info.st_mode & 0777U) == 0600);
        control::server second_one;
        CHECK(second_one.open(s.folder));  // the name is this process': the last to bind has it
    }
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("control server: a path that a socket cannot have is an error in words", "[control]") {
    char name[] = "/tmp/memwatch-control-test-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    const std::string deep = std::string(name) + "/" + std::string(90, 'd');
    REQUIRE(::mkdir(deep.c_str(), 0700) == 0);
    control::server s;
    const auto opened = s.open(deep);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == error_code::limit);
    CHECK(opened.error().what.find("longer than") != std::string::npos);
    fs::remove_all(name);
}

TEST_CASE("control server: only its own user and root are answered, and a client believes only the process it meant",
          "[control]") {
    if (::geteuid() != 0) { return; }
    const served s;
    // As another user: even with the folder open.
    REQUIRE(::chmod(s.folder.c_str(), 0777) == 0);
    REQUIRE(::chmod((s.folder + "/memwatch").c_str(), 0777) == 0);
    REQUIRE(::chmod(s.path.c_str(), 0777) == 0);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t stranger = ::fork();
    if (stranger == 0) {
        if (::setuid(65534) != 0) { ::_exit(9); }
        const int to = connect_raw(s.path);
        const std::string frame = control::frame_request("status");
        static_cast<void>(::send(to, frame.data(), frame.size(), MSG_NOSIGNAL));  // it may be refused before it is sent
        const std::string answer = read_all(to);
        const auto header = control::read_answer_header(answer);
        ::_exit(header && !header->is_fine && answer.find("its own user") != std::string::npos ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(stranger, &status, 0) == stranger);
    CHECK(status == 0);

    // A process that binds the name of another one: here the child's, bound by us.
    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    const auto whom = control::find_target(static_cast<std::uint64_t>(child));
    REQUIRE(whom);
    const std::string forged = s.folder + "/memwatch/" + whom->name;
    REQUIRE(::rename(s.path.c_str(), forged.c_str()) == 0);
    const auto answer = control::ask(static_cast<std::uint64_t>(child), {"status", {}});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == error_code::unreachable);
    CHECK(answer.error().what.find("somebody else") != std::string::npos);
    REQUIRE(::rename(forged.c_str(), s.path.c_str()) == 0);
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("control client: without memwatch in it a process is unreachable, and the sentence says why", "[control]") {
    const auto answer = control::ask(self(), {"status", {}});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == error_code::unreachable);
    CHECK(answer.error().what.find("no control socket") == 0);
    CHECK(control::ask(4'000'000, {"status", {}}).error().what == "there is no such process");
}
