// SPDX-License-Identifier: Apache-2.0
// The ends that run no destructors: _exit, _Exit, quick_exit, abort. And dlclose, after which an address may be other code.
#include <dlfcn.h>

#include <cstdlib>

#include "interpose/last_word.hpp"
#include "platform/unwind_rules.hpp"

#define MEMWATCH_ENTRY extern "C" [[gnu::visibility("default")]]

namespace {

template <class Function>
Function next_of(const char* symbol) noexcept {
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, symbol));
}

[[noreturn]] void end_by(const char* symbol, int status) noexcept {
    memwatch::interpose::say_last_word();
    next_of<void (*)(int)>(symbol)(status);
    __builtin_unreachable();
}

}  // namespace

MEMWATCH_ENTRY [[noreturn]] void _exit(int status) { end_by("_exit", status); }
MEMWATCH_ENTRY [[noreturn]] void _Exit(int status) noexcept { end_by("_Exit", status); }
MEMWATCH_ENTRY [[noreturn]] void quick_exit(int status) noexcept { end_by("quick_exit", status); }

MEMWATCH_ENTRY [[noreturn]] void abort() noexcept {
    memwatch::interpose::say_last_word();
    next_of<void (*)()>("abort")();
    __builtin_unreachable();
}

// The rules of the code that went are forgotten; whatever is mapped there next is looked up anew.
MEMWATCH_ENTRY int dlclose(void* handle) noexcept {
    static const auto next = next_of<int (*)(void*)>("dlclose");
    const int result = next(handle);
    memwatch::platform::forget_unwind_rules();
    return result;
}
