// SPDX-License-Identifier: Apache-2.0
// inflate_zlib() and crc32_of() by zlib: what libmemwatch has.
#include <limits>
#include <new>

#include "snapshot/deflate.hpp"

#include <zlib.h>

namespace memwatch::inline v1::codec {
namespace {

constexpr std::size_t max_step = std::numeric_limits<uInt>::max();  // zlib counts what is at hand in 32 bits

Bytef* as_zlib(const char* bytes) { return reinterpret_cast<Bytef*>(const_cast<char*>(bytes)); }

}  // namespace

std::optional<std::string> inflate_zlib(std::string_view bytes, std::size_t size) {
    if (bytes.size() > max_step || size > max_step) { return std::nullopt; }
    z_stream stream{};
    if (inflateInit2(&stream, MAX_WBITS) != Z_OK) { throw std::bad_alloc{}; }
    std::string out(size, '\0');
    stream.next_in = as_zlib(bytes.data());
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = as_zlib(out.data());
    stream.avail_out = static_cast<uInt>(size);
    const int status = inflate(&stream, Z_FINISH);
    const bool is_exact = status == Z_STREAM_END && stream.total_out == size && stream.avail_in == 0;
    inflateEnd(&stream);
    if (!is_exact) { return std::nullopt; }
    return out;
}

std::uint32_t crc32_of(std::string_view bytes) {
    return static_cast<std::uint32_t>(crc32_z(crc32_z(0, nullptr, 0), as_zlib(bytes.data()), bytes.size()));
}

}  // namespace memwatch::inline v1::codec
