// SPDX-License-Identifier: Apache-2.0
// Any bytes as the JSON of a footprint: refused with a reason, or a footprint that can be shown and reads back as it is
// written.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "report/footprint.hpp"
#include "snapshot/footprint_json.hpp"

namespace {

using namespace memwatch;

// Aborts: what a fuzzer reports as a finding, also where assertions are off.
void require(bool holds) {
    if (!holds) { std::abort(); }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const result<footprint> read = decode_footprint({reinterpret_cast<const char*>(data), size});
    if (!read) {
        require(!read.error().what.empty());
        return 0;
    }
    const std::string text = render_text(*read);
    require(text.find('\x1b') == std::string::npos);
    require(!render_markdown(*read).empty());
    const std::string bytes = encode_footprint(*read);
    const result<footprint> again = decode_footprint(bytes);
    require(again.has_value() && encode_footprint(*again) == bytes);
    return 0;
}
