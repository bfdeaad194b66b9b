// SPDX-License-Identifier: Apache-2.0
// Bytes at the control socket, from a client and from a server. One body for the fuzzer and for the replay of corpus/control.
//
// Laws: no crash; a request that parses is its own line again; a frame's length is within bounds; a status answer's fields are
// lines; a name of a socket that parses is made of its numbers.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "control/endpoint.hpp"
#include "control/protocol.hpp"

namespace {

void require(bool holds, const char* law) {
    if (holds) { return; }
    std::fprintf(stderr, "control_fuzz: broken law: %s\n", law);
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace memwatch;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto length = control::read_request_header(bytes)) {
        require(*length > 0 && *length <= control::max_request_bytes, "a request is bounded");
    }
    if (const auto header = control::read_answer_header(bytes)) {
        require(header->body_bytes <= control::max_answer_bytes, "an answer is bounded");
    }
    if (const auto parsed = control::parse_request(bytes)) {
        require(control::to_line(*parsed) == bytes, "a request is its line");
        require(control::frame_request(bytes).size() == bytes.size() + control::request_header_bytes,
                "a frame is header and line");
        for (const auto& [name, value] : parsed->parameters) {
            require(parsed->find(name) != nullptr && *parsed->find(name) == value, "a parameter is found");
            std::string lines;
            control::add_field(lines, name, value);
            require(control::field(lines, name) == value, "a field is read back");
        }
    }
    std::string lines;
    control::add_field(lines, "a", bytes);
    require(lines.find('\n') == lines.size() - 1, "a field is one line");
    static_cast<void>(control::field(bytes, "state"));
    static_cast<void>(control::parse_start_time(bytes));
    if (const auto owner = control::parse_socket_name(bytes); owner.pid != 0) {
        require(owner.start_time != 0, "an owner has a start time");
    }
    return 0;
}
