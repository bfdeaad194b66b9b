// SPDX-License-Identifier: Apache-2.0
// For the preload object and the attached library: the real allocator is what would be called if we were not here.
#include <dlfcn.h>
#include <link.h>
#include <malloc.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "interpose/real_allocator.hpp"
#include "interpose/symbol_search.hpp"

namespace memwatch::interpose {
namespace {

// The object a symbol was found in, and the symbol.
struct definition {
    void* address{};
    const void* object{};
    const char* path{""};
};

definition definition_at(void* address) noexcept {
    definition found;
    found.address = address;
    Dl_info info{};
    if (found.address != nullptr && dladdr(found.address, &info) != 0) {
        found.object = info.dli_fbase;
        found.path = info.dli_fname;
    }
    return found;
}

definition next(const char* symbol) noexcept { return definition_at(find_symbol(symbol)); }
definition first_one(const char* symbol) noexcept { return definition_at(dlsym(RTLD_DEFAULT, symbol)); }

// The program's malloc, were we not here. An executable's own, or one preloaded before us, comes before ours in the search
// order.
definition find_malloc() noexcept {
    const definition first = first_one("malloc");
    // A program that is not position-independent and takes malloc's address has an entry for it that leads to ours.
    Dl_info unused{};
    const ElfW(Sym)* symbol = nullptr;
    if (dladdr1(first.address, &unused, reinterpret_cast<void**>(const_cast<ElfW(Sym)**>(&symbol)), RTLD_DL_SYMENT) == 0 ||
        symbol == nullptr || symbol->st_shndx == SHN_UNDEF) {
        return next("malloc");
    }
    Dl_info own{};
    const bool is_known = dladdr(reinterpret_cast<const void*>(&find_malloc), &own) != 0;
    return is_known && first.object != nullptr && first.object != own.dli_fbase ? first : next("malloc");
}

// The definition of `symbol` that is in the same object as malloc.
template <class Function>
Function of_same_object(const definition& malloc_, const char* symbol) noexcept {
    constexpr definition (*searches[])(const char*) noexcept = {&next, &first_one};
    for (const auto search : searches) {
        const definition found = search(symbol);
        if (found.object == malloc_.object) { return reinterpret_cast<Function>(found.address); }
    }
    return nullptr;
}

const char* name_of(const definition& malloc_) noexcept {
    const char* const slash = std::strrchr(malloc_.path, '/');
    const char* const file = slash != nullptr ? slash + 1 : malloc_.path;
    if (std::strstr(file, "jemalloc") != nullptr) { return "jemalloc"; }
    if (std::strstr(file, "tcmalloc") != nullptr) { return "tcmalloc"; }
    if (std::strstr(file, "mimalloc") != nullptr) { return "mimalloc"; }
    if (std::strncmp(file, "libc.so", 7) == 0 || std::strncmp(file, "libc-", 5) == 0) { return "glibc"; }
    // Linked into something else: told by what only they export.
    if (of_same_object<void*>(malloc_, "mallctl") != nullptr) { return "jemalloc"; }
    if (of_same_object<void*>(malloc_, "tc_version") != nullptr) { return "tcmalloc"; }
    if (of_same_object<void*>(malloc_, "mi_version") != nullptr) { return "mimalloc"; }
    return "unknown";
}

real_allocator found;

// --- where the allocator lacks a function, it is made of those it has

int (*posix_memalign_function)(void**, std::size_t, std::size_t);
void* aligned_by_posix_memalign(std::size_t alignment, std::size_t bytes) noexcept {
    void* block = nullptr;
    if (posix_memalign_function(&block, alignment < sizeof(void*) ? sizeof(void*) : alignment, bytes) != 0) {
        errno = ENOMEM;
        return nullptr;
    }
    return block;
}

using aligned_allocation = void* (*)(std::size_t, std::size_t) noexcept;

// Null: it has none, which the C library allows.
aligned_allocation find_aligned(const definition& malloc_) noexcept {
    if (auto* const function = of_same_object<aligned_allocation>(malloc_, "memalign"); function != nullptr) {
        return function;
    }
    posix_memalign_function = of_same_object<decltype(posix_memalign_function)>(malloc_, "posix_memalign");
    return posix_memalign_function != nullptr ? &aligned_by_posix_memalign : nullptr;
}

void* aligned_by_nobody(std::size_t, std::size_t) noexcept { return nullptr; }

std::size_t usable_unknown(void*) noexcept { return 0; }

void release_ignoring_size(void* block, std::size_t) noexcept { found.heap.release(block); }

void (*sdallocx)(void*, std::size_t, int);
void release_by_sdallocx(void* block, std::size_t bytes) noexcept {
    if (block != nullptr) { sdallocx(block, bytes, 0); }
}

using sized_release = void (*)(void*, std::size_t) noexcept;

// mimalloc's sized free only asserts; glibc has none.
sized_release find_sized(const definition& malloc_) noexcept {
    if (auto* const tcmalloc = of_same_object<sized_release>(malloc_, "tc_free_sized"); tcmalloc != nullptr) {
        return tcmalloc;
    }
    sdallocx = of_same_object<void (*)(void*, std::size_t, int)>(malloc_, "sdallocx");
    return sdallocx != nullptr ? &release_by_sdallocx : &release_ignoring_size;
}

}  // namespace

real_allocator find_real_allocator() noexcept {
    const int saved_errno = errno;
    const definition malloc_ = find_malloc();
    heap_functions& heap = found.heap;
    heap.allocate = reinterpret_cast<decltype(heap.allocate)>(malloc_.address);
    heap.release = of_same_object<decltype(heap.release)>(malloc_, "free");
    heap.allocate_zeroed = of_same_object<decltype(heap.allocate_zeroed)>(malloc_, "calloc");
    heap.reallocate = of_same_object<decltype(heap.reallocate)>(malloc_, "realloc");
    heap.allocate_aligned = find_aligned(malloc_);
    heap.usable_bytes = of_same_object<decltype(heap.usable_bytes)>(malloc_, "malloc_usable_size");
    if (heap.usable_bytes == nullptr) { heap.usable_bytes = &usable_unknown; }
    found.can_align = heap.allocate_aligned != nullptr;
    found.sampled_heap = heap;
    if (!found.can_align) {
        found.sampled_heap.allocate_aligned = &aligned_by_nobody;
        heap.allocate_aligned = reinterpret_cast<aligned_allocation>(next("memalign").address);
    }
    found.release_sized = find_sized(malloc_);
    found.name = name_of(malloc_);
    found.path = malloc_.path;
    found.is_before_us = malloc_.address != next("malloc").address;
    found.believes_sizes = found.release_sized != &release_ignoring_size || std::strcmp(found.name, "unknown") == 0;
    errno = saved_errno;
    return found;
}

void* find_foreign_operator(const real_allocator& real, const char* mangled_name) noexcept {
    const definition next_one = next(mangled_name);
    if (next_one.address == nullptr || std::strcmp(next_one.path, real.path) == 0) { return nullptr; }
    const bool is_runtime =
        std::strstr(next_one.path, "/libstdc++.so") != nullptr || std::strstr(next_one.path, "/libc++") != nullptr;
    if (is_runtime) { return nullptr; }
    // Another allocator's, whose malloc nobody gets to: jemalloc's delete calls free, which is the real one's, with blocks of
    // its own. One heap serves all instead, unless blocks of that one are around already.
    const bool is_other_heap = std::strcmp(name_of(next_one), "unknown") != 0;
    return is_other_heap && is_here_from_the_start() ? nullptr : next_one.address;
}

}  // namespace memwatch::interpose
