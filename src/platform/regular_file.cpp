// SPDX-License-Identifier: Apache-2.0
#include "platform/regular_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

namespace memwatch {
inline namespace v1 {

result<regular_file> regular_file::open(const std::string& path) {
    // O_NONBLOCK: opening a fifo must not wait for a writer. It means nothing for regular files.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) {
        const bool is_missing = errno == ENOENT || errno == ENOTDIR;
        return fail(is_missing ? error_code::not_found : error_code::io, std::strerror(errno), path);
    }
    struct stat about {};
    if (::fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode)) {
        ::close(descriptor);
        return fail(error_code::invalid_argument, "not a regular file", path);
    }
    std::uint64_t stamp = 0;
    for (const auto part : {static_cast<std::uint64_t>(about.st_dev), static_cast<std::uint64_t>(about.st_ino),
                            static_cast<std::uint64_t>(about.st_size), static_cast<std::uint64_t>(about.st_mtim.tv_sec),
                            static_cast<std::uint64_t>(about.st_mtim.tv_nsec)}) {
        stamp = (stamp ^ part) * 0x9E3779B97F4A7C15ULL;
    }
    return regular_file(descriptor, static_cast<std::uint64_t>(about.st_size), stamp);
}

regular_file::~regular_file() {
    if (descriptor_ >= 0) { ::close(descriptor_); }
}

std::size_t regular_file::read_at(std::uint64_t offset, void* into, std::size_t size_bytes) const noexcept {
    std::size_t done = 0;
    while (done < size_bytes) {
        const std::uint64_t at = offset + done;
        if (at < offset || at > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) { break; }
        const ssize_t got = ::pread(descriptor_, static_cast<char*>(into) + done, size_bytes - done, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) { continue; }
        if (got <= 0) { break; }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

}  // namespace v1
}  // namespace memwatch
