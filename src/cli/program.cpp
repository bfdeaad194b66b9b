// SPDX-License-Identifier: Apache-2.0
#include "cli/program.hpp"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "platform/platform.hpp"
#include "platform/program_file.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr int most_interpreters = 4;  // as the kernel

struct sanitizer {
    const char* symbol;
    const char* name;
};
constexpr sanitizer sanitizers[] = {{"__asan_init", "AddressSanitizer"},
                                    {"__tsan_init", "ThreadSanitizer"},
                                    {"__msan_init", "MemorySanitizer"},
                                    {"__hwasan_init", "HWAddressSanitizer"},
                                    {"__lsan_init", "LeakSanitizer"}};

bool is_file(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

const char* machine_name(std::uint16_t machine) noexcept {
    switch (machine) {
        case EM_X86_64:
            return "x86-64";
        case EM_AARCH64:
            return "aarch64";
        case EM_386:
            return "i386";
        case EM_ARM:
            return "arm";
        default:
            return "another machine";
    }
}

tl::unexpected<error> refuse(const std::string& why, const std::string& path) {
    return fail(error_code::unsupported, why, path);
}

bool contains(const std::vector<std::string>& list, const char* name) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

result<void> check_privileges(const program_file& file, const std::string& path) {
    const char* const why = file.is_set_id ? "is set-user-ID or set-group-ID" : "has file capabilities";
    if (!file.is_set_id && !file.has_capabilities) { return {}; }
    return refuse(
        std::string(why) + ": the dynamic loader ignores LD_PRELOAD for it, so memwatch can't get in; run a copy without",
        path);
}

result<void> check_elf(const program_file& file, const program_file& own, const std::string& path,
                       std::vector<std::string>& warnings) {
    if (file.elf_class != own.elf_class || file.machine != own.machine) {
        return refuse(std::string("is built for ") + (file.elf_class == ELFCLASS32 ? "32-bit " : "") +
                          machine_name(file.machine) + ", this memwatch for " + machine_name(own.machine),
                      path);
    }
    if (!file.has_loader) {
        return refuse(std::string(file.is_position_independent ? "is a static-PIE program" : "is statically linked") +
                          ": it has no dynamic loader that would honour LD_PRELOAD; link it dynamically, or link libmemwatch",
                      path);
    }
    for (const sanitizer& each : sanitizers) {
        if (!contains(file.imports, each.symbol) && !contains(file.defines, each.symbol)) { continue; }
        return refuse(std::string("is built with ") + each.name + ", which replaces malloc itself; build it without", path);
    }
    if (contains(file.defines, "malloc")) {
        warnings.push_back(path + " brings its own malloc: its calls never reach memwatch, only those of operator new may");
    }
    return {};
}

std::vector<std::string> library_places(const char* library_name) {
    std::vector<std::string> places;
    const std::string own = platform::executable_path();
    const std::string folder = own.substr(0, own.rfind('/'));
    for (const char* const place :
         {"/../interpose/", "/../lib/x86_64-linux-gnu/", "/../lib/aarch64-linux-gnu/", "/../lib/", "/../lib64/"}) {
        places.push_back(folder + place + library_name);
    }
    places.push_back(std::string(MEMWATCH_LIBRARY_FOLDER "/") + library_name);
    return places;
}

}  // namespace

result<std::string> find_program(const std::string& name) {
    const auto check = [](const std::string& path) { return is_file(path) && ::access(path.c_str(), X_OK) == 0; };
    if (name.find('/') != std::string::npos) {
        if (check(name)) { return name; }
        return fail(::access(name.c_str(), F_OK) == 0 ? error_code::io : error_code::not_found,
                    ::access(name.c_str(), F_OK) == 0 ? "is no program that may be executed" : "no such file", name);
    }
    const char* const path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
    bool is_there = false;
    for (bool is_last = false; !is_last;) {
        const std::size_t colon = rest.find(':');
        is_last = colon == std::string_view::npos;
        const std::string folder(rest.substr(0, colon));
        const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
        if (check(candidate)) { return candidate; }
        is_there = is_there || is_file(candidate);
        rest.remove_prefix(is_last ? rest.size() : colon + 1);
    }
    return fail(is_there ? error_code::io : error_code::not_found, is_there ? "may not be executed" : "no such program in PATH",
                name);
}

result<void> check_program(const std::string& path, std::vector<std::string>& warnings) {
    std::vector<std::string> names{"malloc"};
    for (const sanitizer& each : sanitizers) { names.emplace_back(each.symbol); }
    const auto own = program_file::inspect("/proc/self/exe", {});
    if (!own) { return tl::unexpected<error>(own.error()); }
    std::string at = path;
    for (int i = 0; i <= most_interpreters; ++i) {
        const auto file = program_file::inspect(at, names);
        if (!file && file.error().code == error_code::io) { return {}; }  // may be executed but not read: nothing can be said
        if (!file) { return tl::unexpected<error>(file.error()); }
        if (auto checked = check_privileges(*file, at); !checked) { return checked; }
        if (file->is == program_file::kind::elf) { return check_elf(*file, *own, at, warnings); }
        if (file->is == program_file::kind::other) { return {}; }  // exec will say what it thinks of it
        at = file->interpreter;
    }
    return refuse("too many interpreters", path);
}

namespace {

result<std::string> find_library(const char* name, const char* variable) {
    const char* const named = std::getenv(variable);
    const bool is_named = named != nullptr && *named != '\0';
    for (const std::string& place : is_named ? std::vector<std::string>{named} : library_places(name)) {
        char* const resolved = ::realpath(place.c_str(), nullptr);
        if (resolved == nullptr) { continue; }
        std::string path = resolved;
        std::free(resolved);
        return path;
    }
    return fail(error_code::not_found, std::string("not found; set ") + variable, is_named ? named : name);
}

}  // namespace

result<std::string> find_preload_library() {
    result<std::string> path = find_library("libmemwatch-preload.so", "MEMWATCH_PRELOAD_LIBRARY");
    if (path && path->find_first_of(": \t\n") != std::string::npos) {
        return fail(error_code::unsupported, "LD_PRELOAD cannot carry a path with spaces or colons", *path);
    }
    return path;
}

result<std::string> find_attach_library() { return find_library("libmemwatch-attach.so", "MEMWATCH_ATTACH_LIBRARY"); }

}  // namespace v1
}  // namespace memwatch
