// SPDX-License-Identifier: Apache-2.0
// Any bytes as a file of the symbol cache: not believed, or lines that are written and read back the same.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "symbols/symbol_cache.hpp"

namespace {

void require(bool holds) {
    if (!holds) { std::abort(); }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace memwatch;
    const auto lines = decode_symbols({reinterpret_cast<const char*>(data), size}, "00c0ffee");
    if (!lines) { return 0; }
    const auto bytes = encode_symbols(*lines, "00c0ffee");
    require(bytes.has_value());
    const auto again = decode_symbols(*bytes, "00c0ffee");
    require(again.has_value() && again->size() == lines->size());
    require(encode_symbols(*again, "00c0ffee").value() == *bytes);
    return 0;
}
