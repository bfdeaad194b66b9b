// SPDX-License-Identifier: Apache-2.0
// In place of children_server.cpp where prometheus-cpp is not there to build it with.
#include "cli/children_server.hpp"

namespace memwatch {
inline namespace v1 {

result<std::unique_ptr<children_server>> serve_children(const std::string& address, const std::string&) {
    if (address.empty()) { return std::unique_ptr<children_server>(); }
    return fail(error_code::unsupported, "this memwatch was built without its server (prometheus-cpp)", "--metrics");
}

}  // namespace v1
}  // namespace memwatch
