// SPDX-License-Identifier: Apache-2.0
// Any bytes as a dump: they are refused with a reason, or become a valid snapshot that encodes, decodes and compares.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <memwatch/diff/diff.hpp>
#include <memwatch/snapshot/codec.hpp>

namespace {

// Aborts: what a fuzzer reports as a finding, also where assertions are off.
void require(bool holds) {
    if (!holds) { std::abort(); }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace memwatch;
    const auto decoded = decode({reinterpret_cast<const char*>(data), size});
    if (!decoded) {
        require(!decoded.error().what.empty());
        return 0;
    }
    require(validate(decoded->value).has_value());
    if (const auto again = encode(decoded->value, dump_format::memtrace)) {
        const auto back = decode(*again);
        require(back.has_value() && back->damage.empty());
        require(encode(back->value, dump_format::memtrace).value() == *again);
    }
    require(encode(decoded->value, dump_format::pprof).has_value());
    require(encode(decoded->value, dump_format::folded).has_value());
    const auto same = diff(decoded->value, decoded->value);
    require(same.has_value() && same->rows.empty());
    require(diff(decoded->value, snapshot{}, {dimension::trace}).has_value());
    return 0;
}
