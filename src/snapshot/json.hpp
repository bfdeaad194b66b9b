// SPDX-License-Identifier: Apache-2.0
#pragma once
// A snapshot as JSON (one document) or JSON lines (one row a line), for scripts. Same facts as memtrace, same field names as
// the model. 64-bit integers are written as integers (exact in Python, jq 1.7, Go; a browser rounds above 2^53), trace ids and
// sessions as strings, doubles with as many digits as it takes to read them back unchanged. Text is UTF-8: bytes of a name that
// are not UTF-8 become U+FFFD, the one loss against memtrace.
//
//   {"format":"memwatch-snapshot","version":1,"info":{..},"modules":[{..},..],..,"live":[{..},..]}
//   {"format":"memwatch-lines","version":1}          then  {"table":"info",..}  and  {"table":"live","index":0,..} a row a line
//   and {"table":"end","rows":N} at the end, so that a file cut off between two lines is noticed
//
// A reader ignores keys it does not know and takes a default for one that is absent.

#include <string>
#include <string_view>

#include <memwatch/snapshot/codec.hpp>

namespace memwatch::inline v1::codec {

[[nodiscard]] std::string encode_json(const snapshot& s);
[[nodiscard]] std::string encode_json_lines(const snapshot& s);

// Damaged input keeps the rows before the damage (json) or beside it (lines). The value is not repaired yet.
// Errors: unreadable, unsupported.
[[nodiscard]] result<decoded_snapshot> decode_json(std::string_view bytes);
[[nodiscard]] result<decoded_snapshot> decode_json_lines(std::string_view bytes);

// Whether `bytes` begin like one of the two.
[[nodiscard]] bool looks_like_json(std::string_view bytes);
[[nodiscard]] bool looks_like_json_lines(std::string_view bytes);

}  // namespace memwatch::inline v1::codec
