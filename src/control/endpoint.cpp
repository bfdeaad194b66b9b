// SPDX-License-Identifier: Apache-2.0
#include "control/endpoint.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace memwatch {
inline namespace v1 {
namespace control {
namespace {

constexpr std::string_view suffix = ".sock";
constexpr int most_leftovers = 1024;  // names looked at
constexpr std::size_t most_proc_bytes = 128U << 10U;

// A file of /proc, as far as it is readable; empty = it is not. (A stream would leave its descriptor open to an exec.)
std::string read_proc(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::string bytes;
    char some[4096];
    for (ssize_t got = 1; file >= 0 && got > 0 && bytes.size() < most_proc_bytes;) {
        got = ::read(file, some, sizeof some);
        if (got > 0) { bytes.append(some, static_cast<std::size_t>(got)); }
    }
    if (file >= 0) { ::close(file); }
    return bytes;
}

std::uint64_t parse_number(std::string_view text) noexcept {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() ? value : 0;
}

std::string process_path(std::uint64_t pid) { return "/proc/" + std::to_string(pid); }

tl::unexpected<error> refuse(const char* what, const std::string& path) {
    return fail(error_code::invalid_argument, what, path);
}

// What `path` is, not following a link.
result<void> check_private(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) { return fail(error_code::io, std::strerror(errno), path); }
    if (!S_ISDIR(info.st_mode)) { return refuse("not a folder", path); }
    if (info.st_uid != ::geteuid()) { return refuse("the folder belongs to another user", path); }
    if ((info.st_mode & 077U) != 0) { return refuse("the folder is open to others (chmod 700 it)", path); }
    return {};
}

bool is_own_directory(const std::string& path) {
    struct stat info {};
    return !path.empty() && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid();
}

// Whether somebody listens at `path`; also yes when that cannot be found out.
bool is_answered(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) { return true; }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) { return true; }
    const bool is_refused =
        ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED;
    ::close(probe);
    return !is_refused;
}

using directory_stream = std::unique_ptr<DIR, int (*)(DIR*)>;
directory_stream open_directory(const std::string& path) { return {::opendir(path.c_str()), &::closedir}; }

// "name" of a null-separated environment block.
std::string variable_in(const std::string& environment, const std::string& name) {
    const std::string wanted = name + "=";
    for (std::size_t at = 0; at < environment.size();) {
        const std::size_t end = std::min(environment.find('\0', at), environment.size());
        if (environment.compare(at, wanted.size(), wanted) == 0) {
            return environment.substr(at + wanted.size(), end - at - wanted.size());
        }
        at = end + 1;
    }
    return {};
}

// The last number of "NSpid:\t4711\t12": the pid in the innermost namespace.
std::uint64_t innermost_pid(const std::string& status) {
    const std::size_t line = status.find("\nNSpid:");
    if (line == std::string::npos) { return 0; }
    const std::string_view rest = std::string_view(status).substr(line + 1);
    const std::string_view numbers = rest.substr(0, rest.find('\n'));
    return parse_number(numbers.substr(numbers.find_last_of(" \t") + 1));
}

bool shares_files_with(std::uint64_t pid) {
    struct stat mine {};
    struct stat theirs {};
    if (::stat("/proc/self/ns/mnt", &mine) != 0 || ::stat((process_path(pid) + "/ns/mnt").c_str(), &theirs) != 0) {
        return true;  // not allowed to know: /proc/PID/root would not be open either
    }
    return mine.st_ino == theirs.st_ino;
}

void add_directories(target& into, const std::string& root, const std::vector<std::string>& runtime_directories) {
    for (const std::string& each : runtime_directories) {
        if (each.substr(0, 1) == "/") { into.directories.push_back(root + each + "/memwatch"); }
    }
    into.directories.push_back(root + "/run/user/" + std::to_string(into.user) + "/memwatch");
    const std::string expected = root + "/tmp/memwatch-" + std::to_string(into.user);
    into.directories.push_back(expected);
    // Another number inside a user namespace, or from before privileges were dropped.
    const directory_stream tmp = open_directory(root + "/tmp");
    int seen = 0;
    while (const dirent* const entry = tmp == nullptr ? nullptr : ::readdir(tmp.get())) {
        if (std::strncmp(entry->d_name, "memwatch-", 9) != 0 || ++seen > 64) { continue; }
        std::string path = root + "/tmp/" + entry->d_name;
        if (path != expected) { into.directories.push_back(std::move(path)); }
    }
}

}  // namespace

std::uint64_t parse_start_time(std::string_view stat) noexcept {
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string_view::npos) { return 0; }
    stat.remove_prefix(name_end + 1);
    for (int field = 3; field <= 22; ++field) {
        const std::size_t begin = stat.find_first_not_of(" \n");
        if (begin == std::string_view::npos) { return 0; }
        stat.remove_prefix(begin);
        const std::size_t end = std::min(stat.find_first_of(" \n"), stat.size());
        if (field == 22) { return parse_number(stat.substr(0, end)); }
        stat.remove_prefix(end);
    }
    return 0;
}

std::uint64_t start_time_of(std::uint64_t pid) { return parse_start_time(read_proc(process_path(pid) + "/stat")); }

std::uint64_t start_time_of_self() { return parse_start_time(read_proc("/proc/self/stat")); }

std::string socket_name(std::uint64_t pid, std::uint64_t start_time) {
    return std::to_string(pid) + "-" + std::to_string(start_time) + std::string(suffix);
}

socket_owner parse_socket_name(std::string_view name) noexcept {
    const std::size_t dash = name.find('-');
    if (dash == std::string_view::npos || name.size() < suffix.size() || name.substr(name.size() - suffix.size()) != suffix ||
        dash + 1 > name.size() - suffix.size()) {
        return {};
    }
    const socket_owner owner{parse_number(name.substr(0, dash)),
                             parse_number(name.substr(dash + 1, name.size() - suffix.size() - dash - 1))};
    return owner.pid == 0 || owner.start_time == 0 ? socket_owner{} : owner;
}

std::string runtime_directory() {
    const char* const named = ::secure_getenv("XDG_RUNTIME_DIR");
    return named != nullptr && *named == '/' ? named : "";
}

result<std::string> make_socket_directory(const std::string& runtime_directory) {
    const std::string path =
        is_own_directory(runtime_directory) ? runtime_directory + "/memwatch" : "/tmp/memwatch-" + std::to_string(::geteuid());
    if (::mkdir(path.c_str(), 0700) == 0) {
        ::chmod(path.c_str(), 0700);  // the host's umask may have taken bits from us
    } else if (errno != EEXIST) {
        return fail(error_code::io, std::string("cannot make the folder: ") + std::strerror(errno), path);
    }
    if (auto checked = check_private(path); !checked) { return tl::unexpected<error>(checked.error()); }
    return path;
}

void remove_leftovers(const std::string& directory) {
    const directory_stream names = open_directory(directory);
    for (int i = 0; names != nullptr && i < most_leftovers; ++i) {
        const dirent* const entry = ::readdir(names.get());
        if (entry == nullptr) { return; }
        const socket_owner owner = parse_socket_name(entry->d_name);
        if (owner.pid == 0 || start_time_of(owner.pid) == owner.start_time) { continue; }
        const std::string path = directory + "/" + entry->d_name;
        if (!is_answered(path)) { ::unlink(path.c_str()); }
    }
}

std::vector<std::uint64_t> processes_with_sockets() {
    target places;
    places.user = ::geteuid();
    add_directories(places, "", {runtime_directory()});
    std::vector<std::uint64_t> out;
    for (const std::string& directory : places.directories) {
        const directory_stream names = open_directory(directory);
        while (const dirent* const entry = names == nullptr ? nullptr : ::readdir(names.get())) {
            const socket_owner owner = parse_socket_name(entry->d_name);
            if (owner.pid != 0 && start_time_of(owner.pid) == owner.start_time) { out.push_back(owner.pid); }
        }
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

result<target> find_target(std::uint64_t pid) {
    target out;
    out.pid = pid;
    struct stat info {};
    const std::uint64_t start_time = start_time_of(pid);
    if (start_time == 0 || ::stat(process_path(pid).c_str(), &info) != 0) {
        return fail(error_code::unreachable, "there is no such process", "pid " + std::to_string(pid));
    }
    out.user = info.st_uid;
    const std::uint64_t inner = innermost_pid(read_proc(process_path(pid) + "/status"));
    out.name = socket_name(inner == 0 ? pid : inner, start_time);
    const std::vector<std::string> runtime_directories = {
        variable_in(read_proc(process_path(pid) + "/environ"), "XDG_RUNTIME_DIR"), runtime_directory()};
    if (shares_files_with(pid)) { add_directories(out, "", runtime_directories); }
    add_directories(out, process_path(pid) + "/root", runtime_directories);  // a container, or a changed root
    return out;
}

}  // namespace control
}  // namespace v1
}  // namespace memwatch
