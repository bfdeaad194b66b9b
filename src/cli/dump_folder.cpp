// SPDX-License-Identifier: Apache-2.0
#include "cli/dump_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

namespace fs = std::filesystem;

tl::unexpected<error> refuse(const std::string& path) {
    return fail(error_code::io, std::string("cannot make a folder for dumps: ") + std::strerror(errno), path);
}

std::string temporary_folder() {
    const char* const named = std::getenv("TMPDIR");
    return named != nullptr && *named == '/' ? named : "/tmp";
}

}  // namespace

result<dump_folder> dump_folder::make(const std::string& kept) {
    if (!kept.empty()) {
        if (::mkdir(kept.c_str(), 0700) != 0 && errno != EEXIST) { return refuse(kept); }
        std::error_code failed;
        const fs::path whole = fs::canonical(kept, failed);  // the program may change its working directory
        if (failed || !fs::is_directory(whole)) { return fail(error_code::io, "is not a folder", kept); }
        return dump_folder({}, whole.string());
    }
    std::string outer = temporary_folder() + "/memwatch-run-XXXXXX";
    if (::mkdtemp(outer.data()) == nullptr) { return refuse(outer); }
    std::string inner = fmt::format("{}/{:016x}{:016x}", outer, platform::random_seed(), platform::random_seed());
    const bool is_root = ::geteuid() == 0;
    if (::mkdir(inner.c_str(), 0700) != 0 ||
        (is_root && (::chmod(outer.c_str(), 0711) != 0 || ::chmod(inner.c_str(), 01733) != 0))) {
        return refuse(inner);
    }
    return dump_folder(std::move(outer), std::move(inner));
}

dump_folder::dump_folder(std::string outer, std::string path) : outer_(std::move(outer)), path_(std::move(path)) {
    before_ = all_dumps();
}

dump_folder::dump_folder(dump_folder&& other) noexcept
    : outer_(std::exchange(other.outer_, {})), path_(std::move(other.path_)), before_(std::move(other.before_)) {}

dump_folder::~dump_folder() {
    std::error_code ignored;
    if (!outer_.empty()) { fs::remove_all(outer_, ignored); }
}

std::vector<std::string> dump_folder::all_dumps() const {
    std::vector<std::string> out;
    std::error_code failed;
    for (fs::directory_iterator at(path_, failed), end; !failed && at != end; at.increment(failed)) {
        std::error_code ignored;
        if (at->symlink_status(ignored).type() == fs::file_type::regular && at->path().extension() == ".memtrace") {
            out.push_back(at->path().string());
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<std::string> dump_folder::dumps() const {
    std::vector<std::string> out;
    const std::vector<std::string> now = all_dumps();
    std::set_difference(now.begin(), now.end(), before_.begin(), before_.end(), std::back_inserter(out));
    return out;
}

}  // namespace v1
}  // namespace memwatch
