// SPDX-License-Identifier: Apache-2.0
// For an object that came later: the first definition in the search order. Our own names are local symbols, so none of them is
// ever found.
#include <dlfcn.h>
#include <link.h>

#include <cstdint>

#include "interpose/symbol_search.hpp"

namespace memwatch::interpose {
namespace {

// An executable that takes a function's address without being position independent has a stub of its own for it, and dlsym
// returns that. It leads through a slot that we patch.
bool is_stub(void* address) noexcept {
    Dl_info info{};
    void* extra = nullptr;
    if (dladdr1(address, &info, &extra, RTLD_DL_SYMENT) == 0 || extra == nullptr) { return false; }
    return static_cast<const ElfW(Sym)*>(extra)->st_shndx == SHN_UNDEF;
}

// The first object behind the executable that defines the name itself: they stand in the order of the search.
void* find_behind_executable(const char* name) noexcept {
    void* const program = open_module(nullptr, RTLD_LAZY);
    if (program == nullptr) { return nullptr; }
    void* found = nullptr;
    for (const link_map* module = static_cast<link_map*>(program)->l_next; module != nullptr && found == nullptr;
         module = module->l_next) {
        void* const handle = module->l_name[0] == '\0' ? nullptr : open_module(module->l_name, RTLD_LAZY | RTLD_NOLOAD);
        if (handle == nullptr) { continue; }
        void* const candidate = dlsym(handle, name);
        Dl_info info{};
        if (candidate != nullptr && dladdr(candidate, &info) != 0 &&
            reinterpret_cast<std::uintptr_t>(info.dli_fbase) == module->l_addr) {
            found = candidate;
        }
        close_module(handle);
    }
    close_module(program);
    return found;
}

}  // namespace

// Behind us: this library's own dlopen and dlclose do more, and are not meant.
void* open_module(const char* name, int flags) noexcept {
    static const auto function = reinterpret_cast<void* (*)(const char*, int)>(dlsym(RTLD_NEXT, "dlopen"));
    return function(name, flags);
}
void close_module(void* handle) noexcept {
    static const auto function = reinterpret_cast<int (*)(void*)>(dlsym(RTLD_NEXT, "dlclose"));
    function(handle);
}

bool is_here_from_the_start() noexcept { return false; }

void* find_symbol(const char* name) noexcept {
    void* const found = dlsym(RTLD_DEFAULT, name);
    return found != nullptr && is_stub(found) ? find_behind_executable(name) : found;
}

}  // namespace memwatch::interpose
