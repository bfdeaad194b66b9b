// SPDX-License-Identifier: Apache-2.0
#include "control/protocol.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace memwatch;

TEST_CASE("control protocol: a request survives its words, and its words survive the request", "[control]") {
    const std::string line = "set preset=off interval=512KiB note=a=b";
    const auto r = control::parse_request(line);
    REQUIRE(r);
    CHECK(r->command == "set");
    CHECK(*r->find("preset") == "off");
    CHECK(*r->find("note") == "a=b");
    CHECK(r->find("nothing") == nullptr);
    CHECK(control::to_line(*r) == line);
    CHECK(control::parse_request("snapshot label=")->find("label")->empty());
}

TEST_CASE("control protocol: what is not a command with name=value words is refused", "[control]") {
    for (const char* const line :
         {"", " ", " status", "status ", "status  x=1", "Status", "sta-tus", "=", "set preset", "set =off", "set Preset=off",
          "set preset=a\tb", "set preset=\x01", "set preset=\x80", "set a=1 a=2", "status\n"}) {
        INFO(line);
        const auto r = control::parse_request(line);
        REQUIRE_FALSE(r);
        CHECK(r.error().code == error_code::invalid_argument);
    }
    CHECK_FALSE(control::parse_request(std::string_view("set a=\0b", 8)));
    CHECK_FALSE(control::parse_request("set a=" + std::string(control::max_request_bytes, 'x')));
    std::string many = "set";
    for (char c = 'a'; c <= 'o'; ++c) { many += std::string(" ") + c + "=1"; }
    CHECK(control::parse_request(many));
    CHECK_FALSE(control::parse_request(many + " p=1"));
}

TEST_CASE("control protocol: frames carry lengths and statuses there and back", "[control]") {
    const std::string frame = control::frame_request("status");
    CHECK(frame.size() == control::request_header_bytes + 6);
    CHECK(*control::read_request_header(frame) == 6);
    CHECK(control::read_request_header("MWQ2....").error().code == error_code::unsupported);
    CHECK(control::read_request_header("GET / HT").error().code == error_code::unreadable);
    CHECK(control::read_request_header("MWQ1").error().code == error_code::unreadable);
    CHECK(control::read_request_header(std::string("MWQ1\0\0\0\0", 8)).error().code == error_code::unreadable);
    CHECK(control::read_request_header(std::string("MWQ1\0\0\0\x01", 8)).error().code == error_code::limit);

    const auto fine = control::read_answer_header(control::frame_answer_header(std::string("four")));
    CHECK((fine && fine->is_fine && fine->body_bytes == 4));
    for (const error_code code : {error_code::invalid_argument, error_code::unsupported, error_code::unavailable}) {
        const auto refused = control::read_answer_header(control::frame_answer_header(fail(code, "why")));
        CHECK((refused && !refused->is_fine && refused->code == code && refused->body_bytes == 3));
    }
    CHECK(control::read_answer_header("MWA1\0").error().code == error_code::unreadable);
    CHECK(control::read_answer_header("MWA9000000000000").error().code == error_code::unsupported);
    std::string huge("MWA1\0\0\0\0", 8);
    CHECK(control::read_answer_header(huge + std::string(8, '\xff')).error().code == error_code::limit);
    const auto unknown = control::read_answer_header(std::string("MWA1\x63\0\0\0\x03\0\0\0\0\0\0\0", 16));
    CHECK((unknown && !unknown->is_fine && unknown->code == error_code::unreadable));
}

TEST_CASE("control protocol: the wire's statuses are these numbers", "[control]") {
    CHECK(control::frame_answer_header(std::string())[4] == 0);
    CHECK(control::frame_answer_header(fail(error_code::invalid_argument, ""))[4] == 1);
    CHECK(control::frame_answer_header(fail(error_code::unsupported, ""))[4] == 4);
    CHECK(control::frame_answer_header(fail(error_code::unavailable, ""))[4] == 8);
}

TEST_CASE("control protocol: fields stay one line each", "[control]") {
    std::string lines;
    control::add_field(lines, "service", "a\nstate=running");
    control::add_field(lines, "state", "stopped");
    control::add_field(lines, "empty", "");
    CHECK(control::field(lines, "state") == "stopped");
    CHECK(control::field(lines, "service") == "a?state=running");
    CHECK(control::field(lines, "empty").empty());
    CHECK(control::field(lines, "stat").empty());
    CHECK(control::field("", "state").empty());
    CHECK(control::refusal_text({error_code::io, std::string(2000, 'x') + "\n", ""}).size() == 512);
}
