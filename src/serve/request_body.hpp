// SPDX-License-Identifier: Apache-2.0
#pragma once
// The body of a POST as names and values: a form, or one flat JSON object of strings and whole numbers.
//
//   label=before                                     {"label": "before"}
//
// In: bytes from the network. Out: members in order; what they mean, and whether one is repeated, is for the caller to say.
// Threads: any. Checked by tests/unit/serve/control_form_test.cpp and tests/fuzz/http_fuzz.cpp.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

using body_members = std::vector<std::pair<std::string, std::string>>;

// `content_type`: a header's value; anything that is not JSON is a form. Errors: invalid_argument.
[[nodiscard]] result<body_members> parse_body(std::string_view content_type, std::string_view body);

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
