// SPDX-License-Identifier: Apache-2.0
#pragma once
// What loaded modules say of themselves in ELF notes, and keeping a module loaded. A note costs its module a few bytes, needs
// no linker option, no export and no system call, and is found in the executable, in libraries and in plugins loaded with
// RTLD_LOCAL alike. Not in other namespaces (dlmopen): those have a C library of their own, too.

#include <cstddef>
#include <cstdint>

// At namespace scope of one source file: the module it is linked into gets a note of memwatch's that tells how far `symbol`, a
// hidden C symbol, lies from the note's description. Relative, so it is right before the module is relocated.
#define MEMWATCH_MODULE_NOTE(symbol)                                              \
    __asm__(                                                                      \
        ".pushsection .note.memwatch, \"a\", %note\n"                             \
        ".balign 4\n"                                                             \
        ".long 9\n" /* bytes of the owner's name */                               \
        ".long 8\n" /* bytes of the description */                                \
        ".long 1\n" /* type: a copy of the library; platform::module_note_type */ \
        ".asciz \"memwatch\"\n"                                                   \
        ".balign 4\n"                                                             \
        "1: .8byte " #symbol                                                      \
        " - 1b\n"                                                                 \
        ".popsection")

namespace memwatch {
inline namespace v1 {
namespace platform {

inline constexpr std::uint32_t module_note_type = 1;

// Calls `visit` with what each such note points to, as far as `bytes` from there on are data of the note's own module, until it
// returns true. The loader's lock is held: modules neither come nor go, and other callers wait. `visit` may call visit_notes()
// again, and nothing that loads or waits. Threads: any. Allocates: never.
void visit_notes(std::size_t bytes, bool (*visit)(void* context, void* pointed_to) noexcept, void* context) noexcept;

// From now on dlclose() leaves the module that holds `address` where it is. False: refused. Threads: any, outside of hooks.
bool keep_module_loaded(const void* address) noexcept;

// Compiler and library choices that layouts and calls depend on beside the sources: hashed into what two copies compare.
// MEMWATCH_ABI_SALT stands in for a difference that cannot be had otherwise, in tests.
[[nodiscard]] constexpr std::uint64_t toolchain_word() noexcept {
    std::uint64_t word = 0;
#if defined(_GLIBCXX_USE_CXX11_ABI)
    word |= 1U | (_GLIBCXX_USE_CXX11_ABI != 0 ? 2U : 0U);
#endif
#if defined(_LIBCPP_VERSION)
    word |= 4U;
#endif
#if defined(NDEBUG)
    word |= 8U;
#endif
#if defined(__SANITIZE_ADDRESS__)
    word |= 16U;
#endif
#if defined(__SANITIZE_THREAD__)
    word |= 32U;
#endif
#if defined(_GLIBCXX_DEBUG)
    word |= 64U;
#endif
#if defined(MEMWATCH_ABI_SALT)
    word |= std::uint64_t{MEMWATCH_ABI_SALT} << 32U;
#endif
    return word;
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
