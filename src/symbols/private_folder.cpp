// SPDX-License-Identifier: Apache-2.0
#include "symbols/private_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include <memwatch/snapshot/codec.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

namespace fs = std::filesystem;

constexpr mode_t writable_by_others = S_IWGRP | S_IWOTH;

tl::unexpected<error> system_failure(const std::string& path) {
    return fail(errno == ENOENT ? error_code::not_found : error_code::io, std::generic_category().message(errno), path);
}

class open_file {
public:
    explicit open_file(const std::string& path)
        : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)) {}
    open_file(const open_file&) = delete;
    open_file& operator=(const open_file&) = delete;
    ~open_file() {
        if (descriptor_ >= 0) { ::close(descriptor_); }
    }
    [[nodiscard]] int descriptor() const { return descriptor_; }

private:
    int descriptor_;
};

bool is_ours(const struct stat& about) { return about.st_uid == ::geteuid() && (about.st_mode & writable_by_others) == 0; }

}  // namespace

result<private_folder> private_folder::open(const std::string& path) {
    if (path.empty() || path.front() != '/') { return fail(error_code::io, "not an absolute path", path); }
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        ::mkdir(path.substr(0, at).c_str(), S_IRWXU);  // what is there already is judged below, or is somebody's home
    }
    if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) { return system_failure(path); }
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) { return system_failure(path); }
    if (!S_ISDIR(about.st_mode)) { return fail(error_code::io, "not a folder", path); }
    if (!is_ours(about)) { return fail(error_code::io, "belongs to somebody else, or others can write to it", path); }
    return private_folder(path);
}

result<std::string> private_folder::read(const std::string& name, std::uint64_t max_bytes) const {
    const std::string path = path_ + "/" + name;
    const open_file file(path);
    if (file.descriptor() < 0) { return system_failure(path); }
    struct stat about {};
    if (::fstat(file.descriptor(), &about) != 0) { return system_failure(path); }
    if (!S_ISREG(about.st_mode) || !is_ours(about)) { return fail(error_code::io, "not a file of ours alone", path); }
    if (static_cast<std::uint64_t>(about.st_size) > max_bytes) { return fail(error_code::limit, "larger than allowed", path); }
    std::string bytes(static_cast<std::size_t>(about.st_size), '\0');
    std::size_t have = 0;
    while (have < bytes.size()) {
        const ssize_t got = ::read(file.descriptor(), bytes.data() + have, bytes.size() - have);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return system_failure(path); }
        if (got == 0) { break; }
        have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    ::futimens(file.descriptor(), nullptr);  // best effort: keeps it from being evicted
    return bytes;
}

result<void> private_folder::write(const std::string& name, std::string_view bytes, std::uint64_t max_bytes) const {
    const std::string path = path_ + "/" + name;
    std::error_code ignored;
    if (fs::is_symlink(fs::symlink_status(path, ignored))) { fs::remove(path, ignored); }
    if (auto written = write_file_atomically(path, bytes); !written) { return written; }
    evict(name, max_bytes);
    return {};
}

void private_folder::evict(const std::string& but, std::uint64_t max_bytes) const {
    struct kept_file {
        fs::file_time_type used;
        std::uint64_t bytes;
        fs::path path;
    };
    std::vector<kept_file> files;
    std::uint64_t total = 0;
    std::error_code failed;
    for (auto at = fs::directory_iterator(path_, failed); !failed && at != fs::directory_iterator(); at.increment(failed)) {
        std::error_code gone;  // another process may evict at the same time
        const kept_file file{at->last_write_time(gone), at->file_size(gone), at->path()};
        if (gone || !at->is_regular_file(gone)) { continue; }
        total += file.bytes;
        if (file.path.filename() != but) { files.push_back(file); }
    }
    std::sort(files.begin(), files.end(), [](const kept_file& a, const kept_file& b) { return a.used < b.used; });
    for (const kept_file& each : files) {
        if (total <= max_bytes) { break; }
        std::error_code gone;
        fs::remove(each.path, gone);
        total -= each.bytes;
    }
}

}  // namespace v1
}  // namespace memwatch
