// SPDX-License-Identifier: Apache-2.0
// Any bytes as a pprof profile.

#include <cstdint>

#include "fuzz/import_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::check_import(memwatch::exchange::read_pprof({reinterpret_cast<const char*>(data), size}));
}
