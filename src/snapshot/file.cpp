// SPDX-License-Identifier: Apache-2.0
// Dumps and the file system: whole files only, never half a one under the final name.
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include <memwatch/snapshot/codec.hpp>

#include "snapshot/byte_source.hpp"
#include "snapshot/dump_tables.hpp"
#include "snapshot/memtrace.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

tl::unexpected<error> system_failure(const char* doing, int code, const std::string& path) {
    const auto kind = code == ENOENT ? error_code::not_found : error_code::io;
    return fail(kind, std::string{doing} + ": " + std::generic_category().message(code), path);
}

class file_descriptor {
public:
    explicit file_descriptor(int fd) : fd_(fd) {}
    file_descriptor(const file_descriptor&) = delete;
    file_descriptor& operator=(const file_descriptor&) = delete;
    file_descriptor(file_descriptor&& other) noexcept : fd_(other.release()) {}
    ~file_descriptor() {
        if (fd_ >= 0) { ::close(fd_); }
    }
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool is_open() const { return fd_ >= 0; }
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    // 0 or errno: on some file systems (NFS, quota) close is where a write fails.
    int close() { return ::close(std::exchange(fd_, -1)) == 0 ? 0 : errno; }

private:
    int fd_;
};

// The temporary file beside the target; gone unless renamed.
class temporary_file {
public:
    explicit temporary_file(const std::string& target) : path_(target + suffix()) {}
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file() {
        if (exists_) { ::unlink(path_.c_str()); }
    }

    // 0 or errno. O_EXCL and O_NOFOLLOW: in a directory others may write to, nobody can point us at another file.
    int write(std::string_view bytes) {
        file_descriptor fd{::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
        if (!fd.is_open()) { return errno; }
        exists_ = true;
        while (!bytes.empty()) {
            const auto written = ::write(fd.get(), bytes.data(), std::min<std::size_t>(bytes.size(), 1U << 30));
            if (written < 0 && errno == EINTR) { continue; }
            if (written < 0) { return errno; }
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
        if (::fdatasync(fd.get()) != 0 && errno != EINVAL && errno != EROFS) { return errno; }
        return fd.close();
    }

    int rename_to(const std::string& target) {
        if (::rename(path_.c_str(), target.c_str()) != 0) { return errno; }
        exists_ = false;
        return 0;
    }

private:
    static std::string suffix() {
        std::uint64_t random{};
        if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) {
            random =
                static_cast<std::uint64_t>(::getpid());  // O_EXCL keeps it safe; only a leftover of the same name can refuse
        }
        char text[32];
        std::snprintf(text, sizeof text, ".%016llx.tmp", static_cast<unsigned long long>(random));
        return text;
    }

    std::string path_;
    bool exists_{};
};

// Makes the rename itself durable. Best effort: not every file system lets a directory be synced.
void sync_directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    const auto directory = slash == std::string::npos ? std::string{"."} : path.substr(0, slash + 1);
    const file_descriptor fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (fd.is_open()) { static_cast<void>(::fsync(fd.get())); }
}

struct opened_file {
    file_descriptor fd;
    std::uint64_t size;
};

result<opened_file> open_regular_file(const std::string& path, std::uint64_t max_bytes) {
    // O_NONBLOCK: opening a FIFO nobody writes to must not hang; it means nothing for a regular file.
    file_descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (!fd.is_open()) { return system_failure("cannot open", errno, path); }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) { return system_failure("cannot examine", errno, path); }
    if (S_ISDIR(status.st_mode)) { return fail(error_code::io, "is a directory", path); }
    if (!S_ISREG(status.st_mode)) { return fail(error_code::io, "is not a regular file", path); }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > max_bytes) {
        return fail(error_code::limit, std::to_string(size) + " bytes, more than the limit of " + std::to_string(max_bytes),
                    path);
    }
    return opened_file{std::move(fd), size};
}

template <class Decoded>
result<Decoded> read_with(result<Decoded> (*decode)(codec::byte_source&), const std::string& path, std::uint64_t max_bytes) {
    auto file = open_regular_file(path, max_bytes);
    if (!file) { return tl::unexpected<error>(file.error()); }
    codec::file_bytes bytes{file->fd.release(), file->size};
    auto decoded = decode(bytes);
    if (bytes.failure() != 0) { return system_failure("cannot read", bytes.failure(), path); }
    if (!decoded) { decoded.error().where = decoded.error().where.empty() ? path : path + ": " + decoded.error().where; }
    return decoded;
}

}  // namespace

result<void> write_file_atomically(const std::string& path, std::string_view bytes) {
    struct stat status {};
    // Renaming over a device, or over a link to one like /dev/stdout, would take it away from the whole machine.
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        return fail(error_code::io, S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file", path);
    }
    temporary_file file{path};
    if (const int code = file.write(bytes); code != 0) {
        return fail(error_code::io, "cannot write: " + std::generic_category().message(code), path);
    }
    if (const int code = file.rename_to(path); code != 0) {
        return fail(error_code::io, "cannot rename into place: " + std::generic_category().message(code), path);
    }
    sync_directory_of(path);
    return {};
}

result<decoded_snapshot> read_dump(const std::string& path, std::uint64_t max_bytes) {
    return read_with(codec::decode_from, path, max_bytes);
}

result<dump_tables> read_tables(const std::string& path, std::uint64_t max_bytes) {
    return read_with(codec::decode_tables_from, path, max_bytes);
}

result<dump_tables> read_sums(const std::string& path, std::uint64_t max_bytes) {
    return read_with(codec::decode_sums_from, path, max_bytes);
}

result<dump_tables> read_origin(const std::string& path, std::uint64_t max_bytes) {
    return read_with(codec::decode_origin_from, path, max_bytes);
}

dump_kind kind_of_dump(const std::string& path) {
    auto file = open_regular_file(path, ~0ULL);
    if (!file) { return {}; }
    codec::file_bytes bytes{file->fd.release(), file->size};
    return {codec::looks_like_memtrace(bytes.read(0, codec::dump_magic_bytes)), file->size};
}

namespace codec {

file_bytes::~file_bytes() { ::close(descriptor_); }

std::string_view file_bytes::read(std::uint64_t at, std::uint64_t count) {
    count = at < size_ ? std::min(count, size_ - at) : 0;
    if (buffer_.size() < count) { buffer_.resize(count); }
    std::size_t have = 0;
    while (have < count) {
        const auto step = std::min<std::uint64_t>(count - have, 1U << 30);
        const auto got = ::pread(descriptor_, buffer_.data() + have, step, static_cast<off_t>(at + have));
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0 && failure_ == 0) { failure_ = errno; }
        if (got <= 0) { break; }  // the file may turn out shorter than it was
        have += static_cast<std::size_t>(got);
    }
    return std::string_view{buffer_}.substr(0, have);
}

}  // namespace codec

result<void> snapshot::write_to(const std::string& path) const {
    const auto bytes = encode(*this, dump_format::memtrace);
    if (!bytes) { return tl::unexpected<error>(bytes.error()); }
    return write_file_atomically(path, *bytes);
}

}  // namespace v1
}  // namespace memwatch
