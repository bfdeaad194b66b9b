// SPDX-License-Identifier: Apache-2.0
#pragma once
// A folder of files that only this user may write: what is read from it is trusted as far as oneself.
//
// In: a path. Out: whole files. Threads and processes: any number; files are replaced whole, never rewritten.

#include <cstdint>
#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

class private_folder {
public:
    // Makes it, and what is missing above it, mode 0700. Errors: io (not a folder, somebody else's, writable by others).
    [[nodiscard]] static result<private_folder> open(const std::string& path);

    // A regular file of this user's that nobody else can write, no link. Marks it as used. Errors: not_found, io, limit.
    [[nodiscard]] result<std::string> read(const std::string& name, std::uint64_t max_bytes) const;

    // Atomically, mode 0600; then removes the files that were used longest ago until all together take at most `max_bytes`.
    // Errors: io.
    [[nodiscard]] result<void> write(const std::string& name, std::string_view bytes, std::uint64_t max_bytes) const;

private:
    explicit private_folder(std::string path) : path_(std::move(path)) {}
    void evict(const std::string& but, std::uint64_t max_bytes) const;

    std::string path_;
};

}  // namespace v1
}  // namespace memwatch
