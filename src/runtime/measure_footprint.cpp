// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure_footprint.hpp"

#include "platform/platform.hpp"
#include "runtime/process_state.hpp"

namespace memwatch {
inline namespace v1 {

result<footprint> measure_footprint(process_state& state, const footprint_request&) {
    if (state.inert_because != nullptr) { return fail(error_code::unavailable, state.inert_because); }
    footprint out;
    out.pid = platform::process_id();
    out.resident_bytes = platform::resident_bytes();
    out.unexplained_bytes = static_cast<std::int64_t>(out.resident_bytes);
    out.not_detailed = "this build looks at VmRSS alone";
    return out;
}

}  // namespace v1
}  // namespace memwatch
