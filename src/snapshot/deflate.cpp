// SPDX-License-Identifier: Apache-2.0
#include "snapshot/deflate.hpp"

#include <algorithm>
#include <limits>
#include <new>

#include <zlib.h>

namespace memwatch::inline v1::codec {
namespace {

constexpr int zlib_window = MAX_WBITS;
constexpr int gzip_window = MAX_WBITS + 16;
constexpr int memory_level = 8;                                     // zlib's default
constexpr std::size_t max_step = std::numeric_limits<uInt>::max();  // zlib counts what is at hand in 32 bits

Bytef* as_zlib(const char* bytes) { return reinterpret_cast<Bytef*>(const_cast<char*>(bytes)); }

std::string deflate_with(std::string_view bytes, int window, int strategy) {
    z_stream stream{};
    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, window, memory_level, strategy) != Z_OK) { throw std::bad_alloc{}; }
    std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
    std::size_t in_at = 0;
    std::size_t out_at = 0;
    for (int status = Z_OK; status == Z_OK;) {
        const auto in_step = std::min(max_step, bytes.size() - in_at);
        const auto out_step = std::min(max_step, out.size() - out_at);
        stream.next_in = as_zlib(bytes.data() + in_at);
        stream.avail_in = static_cast<uInt>(in_step);
        stream.next_out = as_zlib(out.data() + out_at);
        stream.avail_out = static_cast<uInt>(out_step);
        status = deflate(&stream, in_at + in_step == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
        in_at += in_step - stream.avail_in;
        out_at += out_step - stream.avail_out;
    }
    deflateEnd(&stream);
    out.resize(out_at);
    return out;
}

}  // namespace

std::string deflate_zlib(std::string_view bytes, packing as) {
    return deflate_with(bytes, zlib_window, as == packing::columns ? Z_RLE : Z_DEFAULT_STRATEGY);
}

std::string deflate_gzip(std::string_view bytes) { return deflate_with(bytes, gzip_window, Z_DEFAULT_STRATEGY); }

}  // namespace memwatch::inline v1::codec
