// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one place that talks to zlib. Reading (the last two) has two makers: inflate.cpp by zlib, for libmemwatch, and
// inflate_libdeflate.cpp for the command.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace memwatch::inline v1::codec {

// Level 1: level 6 saves 1 % of a dump for twice the time. `columns` looks for runs only: numbers in columns rarely repeat in
// longer patterns, and it is twice as fast for 2 % more bytes (both measured by tests/bench/dump_bench.cpp).
enum class packing { text, columns };
[[nodiscard]] std::string deflate_zlib(std::string_view bytes, packing as);
// A gzip file with level 1, no name and time 0: equal input gives equal bytes.
[[nodiscard]] std::string deflate_gzip(std::string_view bytes);

// Exactly `size` bytes; nothing when the stream is broken or yields another number of bytes. Memory: `size`.
[[nodiscard]] std::optional<std::string> inflate_zlib(std::string_view bytes, std::size_t size);

[[nodiscard]] std::uint32_t crc32_of(std::string_view bytes);

}  // namespace memwatch::inline v1::codec
