// SPDX-License-Identifier: Apache-2.0
#include "platform/kernel_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace memwatch {
inline namespace v1 {
namespace platform {

std::size_t read_kernel_file(const char* path, char* into, std::size_t size) noexcept {
    const int saved_errno = errno;
    std::size_t done = 0;
    const int descriptor = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (descriptor >= 0 && done < size) {
        const ssize_t got = ::read(descriptor, into + done, size - done);
        if (got < 0 && errno == EINTR) { continue; }
        if (got <= 0) { break; }
        done += static_cast<std::size_t>(got);
    }
    if (descriptor >= 0) { ::close(descriptor); }
    errno = saved_errno;
    return done;
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
