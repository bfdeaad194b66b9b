// SPDX-License-Identifier: Apache-2.0
#include "platform/state_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr mode_t writable_by_others = S_IWGRP | S_IWOTH;
constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
// O_NONBLOCK: opening a fifo must not wait for its other end; it means nothing for a regular file.
constexpr int file_flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

tl::unexpected<error> system_failure(int code, const std::string& path) {
    return fail(code == ENOENT ? error_code::not_found : error_code::io, std::generic_category().message(code), path);
}

bool is_ours(const struct stat& about) { return about.st_uid == ::geteuid() && (about.st_mode & writable_by_others) == 0; }

void make_folders(const std::string& path) {
    // What is there already is somebody's home; the last one is judged by who opens it.
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        ::mkdir(path.substr(0, at).c_str(), S_IRWXU);
    }
    ::mkdir(path.c_str(), S_IRWXU);
}

bool is_file_name(const std::string& name) {
    return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
           name.find('\0') == std::string::npos;
}

bool fits_offset(std::uint64_t offset, std::uint64_t size_bytes) noexcept {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
    return offset <= most && size_bytes <= most - offset;
}

}  // namespace

int state_file::usable() const noexcept { return descriptor_.is_ours() ? descriptor_.number() : -1; }

int state_file::write_at(std::uint64_t offset, const void* bytes, std::size_t size_bytes) const noexcept {
    const int file = usable();
    if (file < 0) { return EBADF; }
    if (!fits_offset(offset, size_bytes)) { return EFBIG; }
    for (std::size_t done = 0; done < size_bytes;) {
        const auto at = static_cast<off_t>(offset + done);
        const ssize_t written = ::pwrite(file, static_cast<const char*>(bytes) + done, size_bytes - done, at);
        if (written < 0 && errno == EINTR) { continue; }
        if (written < 0) { return errno; }
        if (written == 0) { return EIO; }
        done += static_cast<std::size_t>(written);
    }
    return 0;
}

int state_file::reserve(std::uint64_t size_bytes) const noexcept {
    const int file = usable();
    if (file < 0) { return EBADF; }
    if (!fits_offset(0, size_bytes)) { return EFBIG; }
    if (size_bytes == 0) { return 0; }
    // Not posix_fallocate(): where the file system has no such thing, glibc writes to each block, and promises nothing on file
    // systems that copy on write.
    int failed = 0;
    do { failed = ::fallocate(file, 0, 0, static_cast<off_t>(size_bytes)) == 0 ? 0 : errno; } while (failed == EINTR);
    if (failed != EOPNOTSUPP && failed != ENOSYS) { return failed; }
    const int sized = resize(size_bytes);
    return sized == 0 ? EOPNOTSUPP : sized;
}

int state_file::resize(std::uint64_t size_bytes) const noexcept {
    const int file = usable();
    if (file < 0) { return EBADF; }
    if (!fits_offset(0, size_bytes)) { return EFBIG; }
    return ::ftruncate(file, static_cast<off_t>(size_bytes)) == 0 ? 0 : errno;
}

std::size_t state_file::read_at(std::uint64_t offset, void* into, std::size_t size_bytes) const noexcept {
    const int file = usable();
    std::size_t done = 0;
    while (file >= 0 && done < size_bytes && fits_offset(offset, size_bytes)) {
        const auto at = static_cast<off_t>(offset + done);
        const ssize_t got = ::pread(file, static_cast<char*>(into) + done, size_bytes - done, at);
        if (got < 0 && errno == EINTR) { continue; }
        if (got <= 0) { break; }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

std::uint64_t state_file::size_bytes() const noexcept {
    struct stat about {};
    const int file = usable();
    return file >= 0 && ::fstat(file, &about) == 0 ? static_cast<std::uint64_t>(about.st_size) : 0;
}

int state_file::sync() const noexcept {
    const int file = usable();
    if (file < 0) { return EBADF; }
    return ::fdatasync(file) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
}

bool state_file::try_lock() const noexcept {
    const int file = usable();
    return file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) == 0;
}

bool state_file::is_linked() const noexcept {
    struct stat about {};
    const int file = usable();
    return file >= 0 && ::fstat(file, &about) == 0 && about.st_nlink != 0;
}

// Without the slashes at its end, which would make open() follow a link.
std::string state_folder::absolute_path(std::string path) {
    while (path.size() > 1 && path.back() == '/') { path.pop_back(); }
    if (path.empty() || path.front() == '/') { return path; }
    const std::unique_ptr<char, decltype(&::free)> here(::getcwd(nullptr, 0), &::free);
    return here == nullptr ? std::string{} : std::string(here.get()) + "/" + path;
}

result<state_folder> state_folder::open(const std::string& path) {
    make_folders(absolute_path(path));
    return open_existing(path);
}

result<state_folder> state_folder::open_existing(const std::string& given) {
    std::string path = absolute_path(given);
    if (path.empty()) { return fail(error_code::io, "not a path to a folder", given); }
    platform::own_descriptor folder;
    if (!folder.adopt(::open(path.c_str(), folder_flags))) {
        if (errno == ELOOP || errno == ENOTDIR) { return fail(error_code::io, "not a folder, or a link to one", path); }
        return system_failure(errno, path);
    }
    struct stat about {};
    if (::fstat(folder.number(), &about) != 0) { return system_failure(errno, path); }
    if (!is_ours(about)) { return fail(error_code::io, "belongs to somebody else, or others can write to it", path); }
    return state_folder(std::move(folder), std::move(path));
}

result<int> state_folder::number_for(const std::string& name) const {
    if (!is_file_name(name)) { return fail(error_code::invalid_argument, "not the name of a file", name); }
    if (!is_open()) { return fail(error_code::io, "the folder's descriptor is closed", path_); }
    return descriptor_.number();
}

result<state_file> state_folder::open_with(const std::string& name, int flags) const {
    const auto folder = number_for(name);
    if (!folder) { return tl::unexpected<error>(folder.error()); }
    platform::own_descriptor file;
    if (!file.adopt(::openat(*folder, name.c_str(), flags, S_IRUSR | S_IWUSR))) {
        if (errno == ELOOP) { return fail(error_code::io, "a link", path_of(name)); }
        return system_failure(errno, path_of(name));
    }
    struct stat about {};
    if (::fstat(file.number(), &about) != 0) { return system_failure(errno, path_of(name)); }
    if (!S_ISREG(about.st_mode) || !is_ours(about)) { return fail(error_code::io, "not a file of ours alone", path_of(name)); }
    return state_file(std::move(file));
}

result<state_file> state_folder::create(const std::string& name) const {
    return open_with(name, file_flags | O_CREAT | O_EXCL);
}

result<state_file> state_folder::open_file(const std::string& name) const { return open_with(name, file_flags); }

result<std::string> state_folder::read(const std::string& name, std::uint64_t max_bytes) const {
    const auto file = open_file(name);
    if (!file) { return tl::unexpected<error>(file.error()); }
    const std::uint64_t size_bytes = file->size_bytes();
    if (size_bytes > max_bytes) { return fail(error_code::limit, "larger than allowed", path_of(name)); }
    std::string bytes(static_cast<std::size_t>(size_bytes), '\0');
    bytes.resize(file->read_at(0, bytes.data(), bytes.size()));
    return bytes;
}

result<void> state_folder::replace(const std::string& name, std::string_view bytes, bool is_durable) const {
    const auto folder = number_for(name);
    if (!folder) { return tl::unexpected<error>(folder.error()); }
    const std::string temporary = "." + name + ".tmp";
    if (auto cleared = remove(temporary); !cleared) { return cleared; }  // of a process that was killed here
    const auto file = create(temporary);
    if (!file) { return tl::unexpected<error>(file.error()); }
    int failed = file->write_at(0, bytes.data(), bytes.size());
    if (failed == 0 && is_durable) { failed = file->sync(); }
    if (failed == 0 && ::renameat(*folder, temporary.c_str(), *folder, name.c_str()) != 0) { failed = errno; }
    if (failed != 0) {
        ::unlinkat(*folder, temporary.c_str(), 0);
        return system_failure(failed, path_of(name));
    }
    if (is_durable) { static_cast<void>(::fsync(*folder)); }  // best effort: not every file system syncs a folder
    return {};
}

result<void> state_folder::rename(const std::string& from, const std::string& to) const {
    const auto folder = number_for(from);
    if (!folder) { return tl::unexpected<error>(folder.error()); }
    if (!is_file_name(to)) { return fail(error_code::invalid_argument, "not the name of a file", to); }
    if (::renameat(*folder, from.c_str(), *folder, to.c_str()) != 0) { return system_failure(errno, path_of(from)); }
    return {};
}

result<void> state_folder::remove(const std::string& name) const {
    const auto folder = number_for(name);
    if (!folder) { return tl::unexpected<error>(folder.error()); }
    if (::unlinkat(*folder, name.c_str(), 0) != 0 && errno != ENOENT) { return system_failure(errno, path_of(name)); }
    return {};
}

result<std::vector<state_folder::entry>> state_folder::list(std::size_t most) const {
    if (!is_open()) { return fail(error_code::io, "the folder's descriptor is closed", path_); }
    // A descriptor of its own: the one that is kept would remember how far it was read.
    const int again = ::openat(descriptor_.number(), ".", folder_flags);
    DIR* const stream = again < 0 ? nullptr : ::fdopendir(again);
    if (stream == nullptr) {
        const int failed = errno;
        if (again >= 0) { ::close(again); }
        return system_failure(failed, path_);
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> closing(stream, &::closedir);
    std::vector<entry> all;
    while (all.size() < most) {
        const dirent* const next = ::readdir(stream);
        if (next == nullptr) { break; }
        struct stat about {};
        if (::fstatat(again, next->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode)) { continue; }
        const auto modified_ns = static_cast<std::uint64_t>(about.st_mtim.tv_sec) * 1'000'000'000 +
                                 static_cast<std::uint64_t>(about.st_mtim.tv_nsec);
        all.push_back({next->d_name, static_cast<std::uint64_t>(about.st_size), modified_ns});
    }
    return all;
}

bool state_folder::is_in_memory() const noexcept {
    struct statfs about {};
    if (!is_open() || ::fstatfs(descriptor_.number(), &about) != 0) { return false; }
    const auto kind = static_cast<std::uint64_t>(about.f_type);
    return kind == TMPFS_MAGIC || kind == RAMFS_MAGIC;
}

}  // namespace v1
}  // namespace memwatch
