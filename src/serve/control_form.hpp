// SPDX-License-Identifier: Apache-2.0
#pragma once
// The body of POST /debug/memtrace/control: options that may change while the process runs, by their external names, how long a
// preset lasts, and what to do; as a form or as one flat JSON object.
//
//   preset=full&for=5m&interval=512KiB               {"preset": "full", "for": "5m", "interval": 524288}
//   action=pause                                     {"action": "pause"}
//
// In: bytes from the network. Out: words whose meaning is the caller's business, or an error that names what is wrong. Strict
// about form: names of a-z and '_', values of visible ASCII, nothing twice. Which options there are, the session knows.
// Threads: any. Checked by tests/unit/serve/control_form_test.cpp and tests/fuzz/http_fuzz.cpp.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

struct control_request {
    std::vector<std::pair<std::string, std::string>> options;  // name and value, each a word; and "for"
    std::string action;                                        // pause, resume, baseline; empty: none

    // As the control socket takes it, one after the other: "set preset=full for=5m", "baseline".
    [[nodiscard]] std::vector<std::string> lines() const;
};

// `content_type`: a header's value; anything that is not JSON is a form. Errors: invalid_argument.
[[nodiscard]] result<control_request> parse_control_form(std::string_view content_type, std::string_view body);

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
