// SPDX-License-Identifier: Apache-2.0
#pragma once
// The body of POST /debug/memtrace/control: which preset, which interval, pause or resume; as a form or as one flat JSON
// object.
//
//   preset=full&interval=512KiB                      {"preset": "full", "interval": 524288}
//   action=pause                                     {"action": "pause"}
//
// In: bytes from the network. Out: words whose meaning is the caller's business, or an error that names what is wrong. Strict:
// an unknown or repeated member is refused. Threads: any. Checked by tests/unit/serve/control_form_test.cpp and
// tests/fuzz/http_fuzz.cpp.

#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

struct control_request {
    std::string preset;    // off, on, full; empty: as it is
    std::string interval;  // a size in visible ASCII; empty: as it is
    std::string action;    // pause, resume; empty: neither
};

// `content_type`: a header's value; anything that is not JSON is a form. Errors: invalid_argument.
[[nodiscard]] result<control_request> parse_control_form(std::string_view content_type, std::string_view body);

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
