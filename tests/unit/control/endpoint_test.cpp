// SPDX-License-Identifier: Apache-2.0
#include "control/endpoint.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

using namespace memwatch;
namespace fs = std::filesystem;

namespace {

class folder {
public:
    folder() {
        char name[] = "/tmp/memwatch-control-test-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
    }
    ~folder() { fs::remove_all(path); }
    std::string path;
};

int listen_at(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const int made = ::socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(::bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(made, 1) == 0);
    return made;
}

std::uint64_t self() { return static_cast<std::uint64_t>(::getpid()); }

}  // namespace

TEST_CASE("control endpoint: the start time is the 22nd field, whatever the program calls itself", "[control]") {
    CHECK(control::parse_start_time("7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21") == 4711);
    CHECK(control::parse_start_time("7 (a) 1 (b) S) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711\n") == 4711);
    CHECK(control::parse_start_time("7 (a) S 1 2 3") == 0);
    CHECK(control::parse_start_time("") == 0);
    CHECK(control::start_time_of(self()) != 0);
    CHECK(control::start_time_of(self()) == control::start_time_of_self());
    CHECK(control::start_time_of(0) == 0);
}

TEST_CASE("control endpoint: names say who owns a socket, and nothing else parses", "[control]") {
    CHECK(control::socket_name(12, 345) == "12-345.sock");
    const auto owner = control::parse_socket_name("12-345.sock");
    CHECK((owner.pid == 12 && owner.start_time == 345));
    for (const char* const name : {"", "-", ".sock", "12.sock", "12-.sock", "-3.sock", "12-3.sockx", "a-3.sock", "12-b.sock",
                                   "0-1.sock", "12-3-4.sock", "12 -3.sock", "99999999999999999999999-1.sock", "..", "12-345"}) {
        INFO(name);
        CHECK(control::parse_socket_name(name).pid == 0);
    }
}

TEST_CASE("control endpoint: the folder is 0700 whatever the umask, and ours or there is none", "[control]") {
    const folder at;
    for (const mode_t mask : {0000, 0022, 0777}) {
        const mode_t before = ::umask(mask);
        const auto made = control::make_socket_directory(at.path);
        ::umask(before);
        REQUIRE(made);
        CHECK(*made == at.path + "/memwatch");
        struct stat info {};
        REQUIRE(::stat(made->c_str(), &info) == 0);
        CHECK((info.st_mode & 07777U) == 0700);
        fs::remove(*made);
    }
    REQUIRE(::mkdir((at.path + "/memwatch").c_str(), 0755) == 0);
    ::chmod((at.path + "/memwatch").c_str(), 0755);
    CHECK(control::make_socket_directory(at.path).error().what.find("open to others") != std::string::npos);
    fs::remove(at.path + "/memwatch");
    REQUIRE(::symlink("/tmp", (at.path + "/memwatch").c_str()) == 0);
    CHECK(control::make_socket_directory(at.path).error().what == "not a folder");
    fs::remove(at.path + "/memwatch");
    if (::geteuid() == 0) {
        REQUIRE(::mkdir((at.path + "/memwatch").c_str(), 0700) == 0);
        REQUIRE(::chown((at.path + "/memwatch").c_str(), 65534, 65534) == 0);
        CHECK(control::make_socket_directory(at.path).error().what.find("another user") != std::string::npos);
        // A runtime directory of somebody else (sudo keeps the variable) is not used at all.
        REQUIRE(::chown(at.path.c_str(), 65534, 65534) == 0);
        CHECK(*control::make_socket_directory(at.path) == "/tmp/memwatch-0");
    }
}

TEST_CASE("control endpoint: leftovers of dead processes go; live ones, answered ones and other files stay", "[control]") {
    const folder at;
    const std::string dead = at.path + "/4000000-17.sock";
    const std::string reused = at.path + "/" + control::socket_name(self(), control::start_time_of_self() - 1);
    const std::string alive = at.path + "/" + control::socket_name(self(), control::start_time_of_self());
    const std::string answered = at.path + "/4000001-17.sock";  // as of a process in another pid namespace
    const std::string other = at.path + "/notes.txt";
    for (const std::string& path : {dead, reused, alive}) { ::close(listen_at(path)); }
    const int listening = listen_at(answered);
    std::ofstream(other) << "x";
    control::remove_leftovers(at.path);
    CHECK_FALSE(fs::exists(dead));
    CHECK_FALSE(fs::exists(reused));
    CHECK(fs::exists(alive));
    CHECK(fs::exists(answered));
    CHECK(fs::exists(other));
    ::close(listening);
}

TEST_CASE("control endpoint: a process is looked for where it may be, and none that is not there", "[control]") {
    const auto found = control::find_target(self());
    REQUIRE(found);
    CHECK(found->name == control::socket_name(self(), control::start_time_of_self()));
    CHECK(found->user == ::geteuid());
    const std::string expected = "/tmp/memwatch-" + std::to_string(::geteuid());
    CHECK(std::find(found->directories.begin(), found->directories.end(), expected) != found->directories.end());
    CHECK(control::find_target(4'000'000).error().code == error_code::unreachable);
}
