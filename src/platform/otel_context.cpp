// SPDX-License-Identifier: Apache-2.0
#include "platform/otel_context.hpp"

#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "platform/module_walk.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

constexpr const char* variable_name = "otel_thread_ctx_v1";

std::uint64_t thread_pointer() noexcept {
    std::uint64_t pointer = 0;
#if defined(__x86_64__)
    __asm__("mov %%fs:0, %0" : "=r"(pointer));
#else
    __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
#endif
    return pointer;
}

// A loaded object with thread-local variables, and where the calling thread has them; 0 = not allocated for it yet.
struct tls_module {
    std::string path;  // empty = the executable
    std::uint64_t begin;
    std::uint64_t bytes;
};

std::vector<tls_module> modules_with_tls() {
    std::vector<tls_module> modules;
    walk_modules(
        [](dl_phdr_info* info, std::size_t, void* list) {
            try {
                for (ElfW(Half) i = 0; i < info->dlpi_phnum; ++i) {
                    if (info->dlpi_phdr[i].p_type != PT_TLS) { continue; }
                    static_cast<std::vector<tls_module>*>(list)->push_back(
                        {info->dlpi_name, reinterpret_cast<std::uint64_t>(info->dlpi_tls_data), info->dlpi_phdr[i].p_memsz});
                }
                return 0;
            } catch (...) { return 1; }  // out of memory inside the C library's iteration: keep what we have
        },
        &modules);
    return modules;
}

class module_handle {
public:
    module_handle(const std::string& path, int how) noexcept
        : handle_(dlopen(path.empty() ? nullptr : path.c_str(), RTLD_LAZY | RTLD_NOLOAD | how)) {}
    ~module_handle() {
        if (handle_ != nullptr) { dlclose(handle_); }
    }
    module_handle(const module_handle&) = delete;
    module_handle& operator=(const module_handle&) = delete;
    [[nodiscard]] std::uint64_t address_of(const char* name) const noexcept {
        return handle_ == nullptr ? 0 : reinterpret_cast<std::uint64_t>(dlsym(handle_, name));
    }

private:
    void* handle_;
};

// The calling thread's variable. Modules loaded with RTLD_LOCAL are not in the global scope, so each is asked.
std::uint64_t find_variable() {
    if (void* const global = dlsym(RTLD_DEFAULT, variable_name); global != nullptr) {
        return reinterpret_cast<std::uint64_t>(global);
    }
    for (const tls_module& m : modules_with_tls()) {
        if (const std::uint64_t address = module_handle(m.path, 0).address_of(variable_name); address != 0) { return address; }
    }
    return 0;
}

// Whether `address` is in the calling thread's static TLS block, whose size the dynamic linker knows (GLIBC_PRIVATE, and asked
// by sanitizers too; without it nothing is accepted).
bool is_static_tls(std::uint64_t address) noexcept {
    using size_function = void (*)(std::size_t * size, std::size_t * alignment);
    const auto measure = reinterpret_cast<size_function>(dlsym(RTLD_DEFAULT, "_dl_get_tls_static_info"));
    if (measure == nullptr) { return false; }
    std::size_t size = 0;
    std::size_t alignment = 0;
    measure(&size, &alignment);
    const std::uint64_t pointer = thread_pointer();
#if defined(__x86_64__)
    return address < pointer && address >= pointer - size;  // variables lie below the thread pointer
#else
    return address >= pointer && address < pointer + size;  // and above it
#endif
}

// Never unloads the module that holds `address`. False: it is none of the loaded ones.
bool keep_loaded(std::uint64_t address) {
    for (const tls_module& m : modules_with_tls()) {
        if (address < m.begin || address - m.begin >= m.bytes) { continue; }
        if (!m.path.empty()) { const module_handle kept(m.path, RTLD_NODELETE); }
        return true;
    }
    return false;
}

struct otel_record {
    std::uint8_t trace_id[16];
    std::uint8_t span_id[8];
    std::uint8_t valid;  // 1 = may be read
    std::uint8_t trace_flags;
    std::uint16_t attributes_bytes;
};
static_assert(sizeof(otel_record) == 28 && offsetof(otel_record, valid) == 24);

// Byte by byte through volatile, so that two copies are two looks.
otel_ids copy_ids(const volatile otel_record& record) noexcept {
    otel_ids copy;
    for (std::size_t i = 0; i < sizeof copy.trace_id; ++i) { copy.trace_id[i] = record.trace_id[i]; }
    for (std::size_t i = 0; i < sizeof copy.span_id; ++i) { copy.span_id[i] = record.span_id[i]; }
    return copy;
}

}  // namespace

std::uint64_t module_changes() noexcept {
    std::uint64_t changes = 0;
    walk_modules(
        [](dl_phdr_info* info, std::size_t, void* sum) {
            *static_cast<std::uint64_t*>(sum) = info->dlpi_adds + info->dlpi_subs;
            return 1;  // every object says the same
        },
        &changes);
    return changes;
}

otel_context_place find_otel_context() {
    try {
        const std::uint64_t address = find_variable();
        if (address == 0) { return {}; }
        if (!is_static_tls(address) || !keep_loaded(address)) { return {otel_publisher::unsupported, 0}; }
        return {otel_publisher::found, static_cast<std::ptrdiff_t>(address - thread_pointer())};
    } catch (...) { return {}; }  // no memory
}

// The writer is this very thread: only a signal handler can come between two of these lines, ours or the program's, so what is
// ordered is the compiler (volatile does that) and what is checked is that nothing moved from the first look to the last.
bool read_otel_context(std::ptrdiff_t offset, otel_ids& into) noexcept {
    const auto* const variable =
        reinterpret_cast<const volatile otel_record* const volatile*>(thread_pointer() + static_cast<std::uint64_t>(offset));
    const volatile otel_record* const record = *variable;
    if (record == nullptr || record->valid != 1) { return false; }
    into = copy_ids(*record);
    if (*variable != record || record->valid != 1) { return false; }
    const otel_ids again = copy_ids(*record);
    return std::memcmp(&into, &again, sizeof into) == 0 && record->valid == 1;
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
