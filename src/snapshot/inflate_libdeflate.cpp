// SPDX-License-Identifier: Apache-2.0
// inflate_zlib() and crc32_of() by libdeflate: what the command has, where it was there to build with. Two to three times as
// fast as zlib, which is most of what reading a thousand dumps takes; a service that links libmemwatch needs no second library
// for that.
#include <libdeflate.h>

#include <memory>
#include <new>

#include "snapshot/deflate.hpp"

namespace memwatch::inline v1::codec {

std::optional<std::string> inflate_zlib(std::string_view bytes, std::size_t size) {
    const auto free_state = [](libdeflate_decompressor* state) { libdeflate_free_decompressor(state); };
    const std::unique_ptr<libdeflate_decompressor, decltype(free_state)> state(libdeflate_alloc_decompressor(), free_state);
    if (state == nullptr) { throw std::bad_alloc{}; }
    std::string out(size, '\0');
    std::size_t taken = 0;
    // Without a place for the number of bytes made, anything but `size` of them is an error.
    const libdeflate_result done =
        libdeflate_zlib_decompress_ex(state.get(), bytes.data(), bytes.size(), out.data(), out.size(), &taken, nullptr);
    if (done != LIBDEFLATE_SUCCESS || taken != bytes.size()) { return std::nullopt; }
    return out;
}

std::uint32_t crc32_of(std::string_view bytes) { return libdeflate_crc32(0, bytes.data(), bytes.size()); }

}  // namespace memwatch::inline v1::codec
