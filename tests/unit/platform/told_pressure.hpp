// SPDX-License-Identifier: Apache-2.0
#pragma once
// A service manager that tells of memory pressure over a socket, as systemd may.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>

namespace test_support {

struct service_manager {
    int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = -1;
    explicit service_manager(const std::string& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        REQUIRE(path.size() < sizeof address.sun_path);
        std::strcpy(address.sun_path, path.c_str());
        REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener, 1) == 0);
    }
    ~service_manager() {
        if (client >= 0) { ::close(client); }
        ::close(listener);
    }
    void accept() { REQUIRE((client = ::accept(listener, nullptr, nullptr)) >= 0); }
    void say() const { REQUIRE(::write(client, "x", 1) == 1); }
};

}  // namespace test_support
