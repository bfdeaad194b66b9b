// SPDX-License-Identifier: Apache-2.0
#include <elf.h>
#include <link.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>

#include "platform/address_space.hpp"
#include "platform/module_walk.hpp"
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

std::uint64_t read_clock(clockid_t clock) noexcept {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

std::uint64_t monotonic_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }
std::uint64_t coarse_ns() noexcept { return read_clock(CLOCK_MONOTONIC_COARSE); }
std::uint64_t coarse_ms() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

std::uint64_t unix_ns() noexcept { return read_clock(CLOCK_REALTIME); }
std::uint64_t bytes_touched_by_others() noexcept {
    rusage all{};
    rusage own{};
    // The thread first: what it touches in between is then counted to the others, never less than nothing.
    if (getrusage(RUSAGE_THREAD, &own) != 0 || getrusage(RUSAGE_SELF, &all) != 0) { return 0; }
    return static_cast<std::uint64_t>(all.ru_minflt - own.ru_minflt) * page_bytes;
}

std::uint64_t thread_cpu_ns() noexcept { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

std::uint64_t random_seed() noexcept {
    const int saved_errno = errno;
    std::uint64_t seed = 0;
    if (syscall(SYS_getrandom, &seed, sizeof seed, 0) != sizeof seed || seed == 0) {
        seed = (monotonic_ns() ^ (static_cast<std::uint64_t>(thread_id()) << 40U)) | 1U;  // no getrandom: still one per thread
    }
    errno = saved_errno;
    return seed;
}

std::uint32_t thread_id() noexcept { return static_cast<std::uint32_t>(syscall(SYS_gettid)); }

void thread_name(char (&name)[thread_name_size]) noexcept {
    const int saved_errno = errno;
    if (prctl(PR_GET_NAME, name) != 0) { name[0] = '\0'; }
    name[thread_name_size - 1] = '\0';
    errno = saved_errno;
}

std::string name_of_thread(std::uint32_t tid) {
    std::ifstream comm("/proc/self/task/" + std::to_string(tid) + "/comm");
    std::string name;
    std::getline(comm, name);
    return name;
}

bool is_thread_alive(std::uint32_t tid) noexcept {
    const int saved_errno = errno;
    const bool is_gone = syscall(SYS_tgkill, getpid(), static_cast<int>(tid), 0) != 0 && errno == ESRCH;
    errno = saved_errno;
    return !is_gone;
}

bool can_fence_all_threads() noexcept {
    const int saved_errno = errno;
    const bool is_registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    errno = saved_errno;
    return is_registered;
}

void fence_all_threads() noexcept {
    const int saved_errno = errno;
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    errno = saved_errno;
}

bool on_fork(void (*prepare)(), void (*parent)(), void (*child)()) noexcept {
    return pthread_atfork(prepare, parent, child) == 0;
}

bool on_thread_exit(void (*at_exit)(void*), void* argument) noexcept {
    // One key for the one caller there is; keys below 32 need no memory in glibc, so a hook may set it.
    static pthread_key_t key;
    static const bool is_created = pthread_key_create(&key, at_exit) == 0;
    return is_created && pthread_setspecific(key, argument) == 0;
}

std::string executable_path() {
    char path[PATH_MAX];
    const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
    return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

std::string host_name() {
    char name[HOST_NAME_MAX + 1] = {};
    return gethostname(name, sizeof name - 1) == 0 ? std::string(name) : std::string();
}

std::uint64_t process_id() noexcept { return static_cast<std::uint64_t>(getpid()); }

const char* const* environment() noexcept { return environ; }

bool is_single_threaded() noexcept { return __libc_single_threaded != 0; }

bool is_secure_mode() noexcept { return getauxval(AT_SECURE) != 0; }

namespace {

constexpr char hex_digits[] = "0123456789abcdef";

std::string hex(const unsigned char* bytes, std::size_t count) {
    std::string text;
    text.reserve(2 * count);
    for (std::size_t i = 0; i < count; ++i) {
        text += hex_digits[bytes[i] >> 4U];
        text += hex_digits[bytes[i] & 0xFU];
    }
    return text;
}

// The build id among the notes at [at, end), each a header, a name and a description, both padded to 4 bytes.
std::string build_id_in(const char* at, const char* end) {
    while (static_cast<std::size_t>(end - at) >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        std::memcpy(&note, at, sizeof note);
        const auto padded = [](std::size_t size) { return (size + 3) & ~std::size_t{3}; };
        const std::size_t total = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
        if (total > static_cast<std::size_t>(end - at)) { break; }
        const char* const name = at + sizeof note;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
            return hex(reinterpret_cast<const unsigned char*>(name + padded(note.n_namesz)), note.n_descsz);
        }
        at += total;
    }
    return {};
}

loaded_module module_of(const dl_phdr_info& info) {
    loaded_module result;
    result.path = info.dlpi_name;
    for (ElfW(Half) i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = info.dlpi_phdr[i];
        const std::uint64_t start = info.dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0) {
            if (result.limit == 0) {
                result.start = start;
                result.file_offset = segment.p_offset;
            }
            result.limit = start + segment.p_memsz;
        }
        if (segment.p_type == PT_NOTE && result.build_id.empty()) {
            const char* const notes = reinterpret_cast<const char*>(start);
            result.build_id = build_id_in(notes, notes + segment.p_memsz);
        }
    }
    return result;
}

}  // namespace

std::vector<loaded_module> loaded_modules() {
    std::vector<loaded_module> modules;
    walk_modules(
        [](dl_phdr_info* info, std::size_t, void* list) {
            try {
                loaded_module loaded = module_of(*info);
                if (loaded.limit != 0) { static_cast<std::vector<loaded_module>*>(list)->push_back(std::move(loaded)); }
                return 0;
            } catch (...) { return 1; }  // out of memory inside the C library's iteration: keep what we have
        },
        &modules);
    if (!modules.empty() && modules.front().path.empty()) { modules.front().path = executable_path(); }
    return modules;
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
