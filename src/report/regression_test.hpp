// SPDX-License-Identifier: Apache-2.0
#pragma once
// A test that a finding would have failed, to be filled in: a complete Catch2 source whose body calls nothing yet. It compiles
// and passes as it is; with one call of the guilty path in its body it fails until the leak is gone.
//
// In: a finding. Out: C++17 source, ASCII but for what names bring. Threads: any. Names of the program stand in comments and in
// one string literal only: no name can end a comment or a literal, and what is an identifier is made by us.

#include <string>

#include "attribution/attribution.hpp"

namespace memwatch {
inline namespace v1 {

[[nodiscard]] std::string render_regression_test(const attribution& a, const finding& f);

}  // namespace v1
}  // namespace memwatch
