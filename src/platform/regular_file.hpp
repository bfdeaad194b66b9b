// SPDX-License-Identifier: Apache-2.0
#pragma once
// A regular file opened for reading, and nothing but a regular file: a dump can name any path, and a fifo would block, a device
// might act. Reads go through pread: a mapping would turn another process's truncate into our SIGBUS.
//
// In: a path. Out: bytes. Threads: read_at() from any.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

class regular_file {
public:
    // Errors: not_found (no such file), invalid_argument (not a regular file), io.
    [[nodiscard]] static result<regular_file> open(const std::string& path);

    regular_file(regular_file&& other) noexcept
        : descriptor_(std::exchange(other.descriptor_, -1)), size_bytes_(other.size_bytes_), stamp_(other.stamp_) {}
    regular_file& operator=(regular_file&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        std::swap(size_bytes_, other.size_bytes_);
        std::swap(stamp_, other.stamp_);
        return *this;
    }
    regular_file(const regular_file&) = delete;
    regular_file& operator=(const regular_file&) = delete;
    ~regular_file();

    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    [[nodiscard]] std::uint64_t size_bytes() const noexcept { return size_bytes_; }

    // Changes when the file is replaced or rewritten: device, inode, size and modification time folded.
    [[nodiscard]] std::uint64_t stamp() const noexcept { return stamp_; }

    // Bytes read, less than `size_bytes` only at the end of the file or on an error.
    std::size_t read_at(std::uint64_t offset, void* into, std::size_t size_bytes) const noexcept;

private:
    regular_file(int descriptor, std::uint64_t size_bytes, std::uint64_t stamp) noexcept
        : descriptor_(descriptor), size_bytes_(size_bytes), stamp_(stamp) {}

    int descriptor_{-1};
    std::uint64_t size_bytes_{};
    std::uint64_t stamp_{};
};

}  // namespace v1
}  // namespace memwatch
