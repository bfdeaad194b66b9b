// SPDX-License-Identifier: Apache-2.0
// Any bytes as a dump of which only the tables are wanted: refused with a reason, or a valid snapshot without records that
// encodes and decodes. A directory that lies sends the reader anywhere in the file.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "snapshot/dump_tables.hpp"

namespace {

void require(bool holds) {
    if (!holds) { std::abort(); }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace memwatch;
    const auto tables = decode_tables({reinterpret_cast<const char*>(data), size});
    if (!tables) {
        require(!tables.error().what.empty());
        return 0;
    }
    require(validate(tables->value).has_value() && tables->value.live.empty());
    require(tables->unread_bytes <= size);
    if (const auto again = encode(tables->value, dump_format::memtrace)) {
        const auto back = decode_tables(*again);
        require(back.has_value() && back->damage.empty() && back->unread_chunks == 0);
    }
    return 0;
}
