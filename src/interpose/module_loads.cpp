// SPDX-License-Identifier: Apache-2.0
// dlopen and dlclose, for an attached library. A module's slots are patched before its functions run (its constructors are over
// by then). dlopen looks at who calls it: its RUNPATH is searched, $ORIGIN is its folder. So a call in which that matters is
// passed on by a jump, and its module is found by the worker's next look.
#include <cstring>

#include "interpose/module_loads.hpp"
#include "interpose/symbol_search.hpp"
#include "runtime/lifecycle.hpp"

using namespace memwatch::interpose;  // NOLINT(google-build-using-namespace)

namespace {

bool depends_on_caller(const char* path) noexcept {
    return path == nullptr || std::strchr(path, '/') == nullptr || std::strchr(path, '$') != nullptr;
}

}  // namespace

extern "C" [[gnu::visibility("default")]] void* dlopen(const char* path, int flags) noexcept {
    static const auto next = find_function<void* (*)(const char*, int)>("dlopen");
    if (depends_on_caller(path)) { return next(path, flags); }
    void* const handle = next(path, flags);
    if (handle != nullptr) { patch_loaded_modules(); }
    return handle;
}

// What is known of the code that went is forgotten; whatever is mapped there next is looked up anew.
extern "C" [[gnu::visibility("default")]] int dlclose(void* handle) noexcept {
    static const auto next = find_function<int (*)(void*)>("dlclose");
    const int result = next(handle);
    memwatch::code_was_unloaded();
    return result;
}
