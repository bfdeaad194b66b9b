// SPDX-License-Identifier: Apache-2.0
#pragma once
// A whole small file: policies, suppressions, baselines. Regular files only, size-capped.

#include <cstdint>
#include <string>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

// Errors: not_found, io, limit; `where` is the path.
[[nodiscard]] result<std::string> read_text_file(const std::string& path, std::uint64_t max_bytes);

// Its first bytes, to see what it is; empty when it cannot be read.
[[nodiscard]] std::string read_head(const std::string& path, std::size_t max_bytes);

}  // namespace v1
}  // namespace memwatch
