// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files that the kernel makes when they are read (/proc, cgroupfs): read whole, in one go, into the caller's memory. Nothing is
// allocated, so that it works when memory is what there is none of.
//
// Threads: any. Errors: 0 bytes; errno is kept.

#include <cstddef>

namespace memwatch {
inline namespace v1 {
namespace platform {

// How many bytes of `path` were read, at most `size`; 0 when it cannot be opened or read. Never waits for a writer.
[[nodiscard]] std::size_t read_kernel_file(const char* path, char* into, std::size_t size) noexcept;

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
