// SPDX-License-Identifier: Apache-2.0
#include "serve/access.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <string>

#include "serve/kept_snapshots.hpp"
#include "serve/listen_address.hpp"

namespace serve = memwatch::serve;

namespace {

memwatch::http_request request(std::vector<std::pair<std::string, std::string>> headers) {
    return {"GET", "/metrics", std::move(headers), {}};
}

class temporary_file {
public:
    temporary_file(const std::string& contents, mode_t mode) {
        const int descriptor = ::mkstemp(path_);
        REQUIRE(descriptor >= 0);
        ::close(descriptor);
        std::ofstream(path_) << contents;
        REQUIRE(::chmod(path_, mode) == 0);
    }
    ~temporary_file() { ::unlink(path_); }
    [[nodiscard]] std::string path() const { return path_; }

private:
    char path_[32] = "/tmp/memwatch-token-XXXXXX";
};

}  // namespace

TEST_CASE("access: loopback hosts are names of this machine, whatever the port") {
    for (const char* host : {"localhost", "LocalHost:9467", "127.0.0.1", "127.0.0.1:9467", "127.8.9.1:1", "[::1]", "[::1]:80",
                             "orders.localhost:80"}) {
        INFO(host);
        CHECK(serve::is_loopback_host(host));
    }
    for (const char* host :
         {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "128.0.0.1", "10.0.0.1:9467", "[::2]:80",
          "localhost:evil", "0x7f.0.0.1", "127.0.0", "127.0.0.256", "127.0.0.1.", "notlocalhost"}) {
        INFO(host);
        CHECK_FALSE(serve::is_loopback_host(host));
    }
}

TEST_CASE("access: a loopback server refuses foreign hosts, every server refuses foreign origins") {
    const serve::access_policy loopback{serve::exposure::loopback, {}};
    const serve::access_policy network{serve::exposure::network, {}};
    CHECK_FALSE(serve::check_origin(request({{"host", "127.0.0.1:9467"}}), loopback));
    CHECK_FALSE(serve::check_origin(request({}), loopback));  // HTTP/1.0; see check_host_given()
    CHECK(serve::check_origin(request({{"Host", "evil.example:9467"}}), loopback)->status == 403);
    CHECK_FALSE(serve::check_origin(request({{"Host", "orders.svc:9467"}}), network));

    for (const auto& policy : {loopback, network}) {
        CHECK_FALSE(serve::check_origin(request({{"Host", "localhost:1"}, {"Origin", "http://localhost:1"}}), policy));
        CHECK(serve::check_origin(request({{"Host", "localhost:1"}, {"Origin", "http://localhost:2"}}), policy)->status == 403);
        CHECK(serve::check_origin(request({{"Host", "localhost:1"}, {"Origin", "https://evil.example"}}), policy)->status ==
              403);
        CHECK(serve::check_origin(request({{"Host", "localhost:1"}, {"Origin", "null"}}), policy)->status == 403);
    }
}

TEST_CASE("access: without a Host only the open routes of a loopback server answer") {
    using serve::exposure;
    using serve::sensitivity;
    for (const auto& nothing : {request({}), request({{"Host", ""}}), request({{"Host", "  "}})}) {
        for (const auto what : {sensitivity::open, sensitivity::debug, sensitivity::change}) {
            const bool is_refused = what != sensitivity::open;
            CHECK(serve::check_host_given(what, nothing, {exposure::loopback, {}}).has_value() == is_refused);
            for (const auto where : {exposure::network, exposure::unix_socket, exposure::mounted}) {
                CHECK_FALSE(serve::check_host_given(what, nothing, {where, {}}));
            }
            CHECK_FALSE(serve::check_host_given(what, request({{"host", "localhost"}}), {exposure::loopback, {}}));
        }
    }
}

TEST_CASE("access: the token opens, nothing else does") {
    const serve::access_policy none{serve::exposure::loopback, {}};
    const serve::access_policy some{serve::exposure::loopback, "0123456789abcdef"};
    CHECK(serve::check_token(request({{"Authorization", "Bearer 0123456789abcdef"}}), none)->status == 403);
    CHECK(serve::check_token(request({{"Authorization", "Bearer "}}), none)->status == 403);
    CHECK(serve::check_token(request({}), none)->what.find("MEMWATCH_TOKEN_FILE") != std::string::npos);
    CHECK_FALSE(serve::check_token(request({{"authorization", "bearer  0123456789abcdef "}}), some));
    for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer 0123456789abcdeF", "Bearer 0123456789abcde",
                              "Bearer 0123456789abcdef0", "Basic 0123456789abcdef", "0123456789abcdef"}) {
        INFO(wrong);
        CHECK(serve::check_token(request({{"Authorization", wrong}}), some)->status == 401);
    }
    CHECK(serve::is_equal_constant_time("", ""));
    CHECK_FALSE(serve::is_equal_constant_time("a", "b"));
    CHECK_FALSE(serve::is_equal_constant_time("a", "ab"));
}

TEST_CASE("access: a token file is private, regular and well formed, or it is not used") {
    const temporary_file good("0123456789abcdef\n", 0600);
    CHECK(serve::read_token_file(good.path()).value() == "0123456789abcdef");
    const temporary_file open("0123456789abcdef\n", 0640);
    CHECK(serve::read_token_file(open.path()).error().what.find("open to others") != std::string::npos);
    const temporary_file brief("0123456789abcde\n", 0600);
    CHECK(serve::read_token_file(brief.path()).error().message().find("16 to 4096") != std::string::npos);
    const temporary_file spaced("0123456789 abcdef\n", 0600);
    CHECK(serve::read_token_file(spaced.path()).error().message().find("0123456789") == std::string::npos);
    const temporary_file large(std::string(5000, 'x'), 0600);
    CHECK_FALSE(serve::read_token_file(large.path()));
    CHECK(serve::read_token_file("/tmp").error().what == "not a regular file");
    CHECK(serve::read_token_file("/nonexistent/token").error().code == memwatch::error_code::io);
    const std::string link = good.path() + ".link";
    REQUIRE(::symlink(good.path().c_str(), link.c_str()) == 0);
    CHECK(serve::read_token_file(link).error().code == memwatch::error_code::io);
    ::unlink(link.c_str());
}

TEST_CASE("listen_address: addresses are read and printed the same way, names are refused") {
    for (const char* text : {"127.0.0.1:9467", "0.0.0.0:0", "[::1]:9467", "[::]:65535"}) {
        INFO(text);
        REQUIRE(serve::parse_listen_address(text));
        CHECK(serve::parse_listen_address(text)->to_string() == text);
    }
    CHECK(serve::parse_listen_address("localhost:80")->to_string() == "127.0.0.1:80");
    CHECK(serve::parse_listen_address("127.0.0.1:80")->is_loopback);
    CHECK(serve::parse_listen_address("[::1]:80")->is_loopback);
    CHECK_FALSE(serve::parse_listen_address("0.0.0.0:80")->is_loopback);
    CHECK_FALSE(serve::parse_listen_address("[::]:80")->is_loopback);
    CHECK_FALSE(serve::parse_listen_address("10.1.2.3:80")->is_loopback);
    for (const char* text :
         {"", ":", "9467", ":9467", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "[::1]", "[::1",
          "example.com:80", "127.0.0.1:80 ", "256.0.0.1:80", "unix:", "unix:/", "unix:x.sock", "unix:/x/", "unix://"}) {
        INFO(text);
        CHECK_FALSE(serve::parse_listen_address(text));
    }
}

static std::vector<std::string> labels_of(const serve::kept_snapshots& kept) {
    std::vector<std::string> out;
    for (const auto& each : kept.list()) { out.push_back(each.label); }
    return out;
}

TEST_CASE("kept_snapshots: bounded by count and by bytes, oldest out first") {
    serve::kept_snapshots kept(3, 100);
    REQUIRE(kept.keep("a", std::string(10, 'a'), 0, 0));
    REQUIRE(kept.keep("b", std::string(10, 'b'), 0, 0));
    REQUIRE(kept.keep("c", std::string(10, 'c'), 0, 0));
    REQUIRE(kept.keep("d", std::string(10, 'd'), 0, 0));
    CHECK(labels_of(kept) == std::vector<std::string>{"b", "c", "d"});
    CHECK(kept.bytes() == 30);
    const auto held = kept.find("b");
    REQUIRE(kept.keep("b", std::string(85, 'B'), 0, 0));  // replaces, and pushes out c
    CHECK(labels_of(kept) == std::vector<std::string>{"d", "b"});
    CHECK(kept.bytes() == 95);
    CHECK(*held == std::string(10, 'b'));  // what a reader holds stays
    CHECK(kept.keep("x", std::string(101, 'x'), 0, 0).error().code == memwatch::error_code::limit);
    CHECK(labels_of(kept).size() == 2);
    CHECK(kept.find("x") == nullptr);
    REQUIRE(kept.keep("y", std::string(100, 'y'), 0, 0));
    CHECK(labels_of(kept) == std::vector<std::string>{"y"});
}

TEST_CASE("listen_address: a unix socket is an absolute path that fits, and says itself again") {
    const auto parsed = serve::parse_listen_address("unix:/run/orders.sock");
    REQUIRE(parsed);
    CHECK(parsed->is_unix());
    CHECK(parsed->path == "/run/orders.sock");
    CHECK_FALSE(parsed->is_loopback);
    CHECK(parsed->to_string() == "unix:/run/orders.sock");
    CHECK(serve::parse_listen_address("unix:/" + std::string(106, 'x')));
    CHECK_FALSE(serve::parse_listen_address("unix:/" + std::string(107, 'x')));
    CHECK_FALSE(serve::parse_listen_address(std::string("unix:/a\0b", 9)));
}

TEST_CASE("access: who needs the token, for every place to listen at") {
    using serve::exposure;
    using serve::sensitivity;
    const memwatch::http_request plain{"GET", "/", {{"Host", "x"}}, {}};
    for (const auto where : {exposure::loopback, exposure::network, exposure::unix_socket, exposure::mounted}) {
        for (const bool is_own : {false, true}) {
            const serve::requester who{is_own};
            const bool is_trusted = where == exposure::unix_socket && is_own;
            CHECK_FALSE(serve::needs_token(sensitivity::open, plain, who, where));
            CHECK(serve::needs_token(sensitivity::change, plain, who, where) == !is_trusted);
            const bool is_closed = where == exposure::network || (where == exposure::unix_socket && !is_own);
            CHECK(serve::needs_token(sensitivity::debug, plain, who, where) == is_closed);
        }
    }
    for (const char* name : {"Forwarded", "x-forwarded-for", "VIA"}) {  // a proxy lends its user to strangers
        const memwatch::http_request forwarded{"GET", "/", {{"Host", "x"}, {name, ""}}, {}};
        CHECK(serve::needs_token(sensitivity::debug, forwarded, {true}, exposure::unix_socket));
        CHECK(serve::needs_token(sensitivity::change, forwarded, {true}, exposure::unix_socket));
        CHECK_FALSE(serve::needs_token(sensitivity::open, forwarded, {true}, exposure::unix_socket));
    }
}

TEST_CASE("kept_snapshots: labels are plain words") {
    CHECK(serve::is_label("before-2.1_x"));
    CHECK(serve::is_label(std::string(64, 'a')));
    for (const std::string& text : {std::string(), std::string(65, 'a'), std::string("a b"), std::string("../x"),
                                    std::string("\xC3\xA9"), std::string("a\"b")}) {
        CHECK_FALSE(serve::is_label(text));
    }
}
