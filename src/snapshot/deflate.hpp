// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one place that talks to zlib.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace memwatch::inline v1::codec {

// Level 1: on columns of a dump, higher levels save 2 % for three times the time (tests/bench/dump_bench.cpp).
[[nodiscard]] std::string deflate_zlib(std::string_view bytes);
// A gzip file with level 1, no name and time 0: equal input gives equal bytes.
[[nodiscard]] std::string deflate_gzip(std::string_view bytes);

// Exactly `size` bytes; nothing when the stream is broken or yields another number of bytes. Memory: `size`.
[[nodiscard]] std::optional<std::string> inflate_zlib(std::string_view bytes, std::size_t size);

[[nodiscard]] std::uint32_t crc32_of(std::string_view bytes);

}  // namespace memwatch::inline v1::codec
