// SPDX-License-Identifier: Apache-2.0
// What any preload object costs that does nothing: malloc and free jump to the next definition. heap_bench.py's yardstick.
#include <dlfcn.h>

#include <cstddef>

namespace {

void* (*next_malloc)(std::size_t) noexcept = nullptr;
void (*next_free)(void*) noexcept = nullptr;

[[gnu::constructor]] void resolve() {
    next_malloc = reinterpret_cast<void* (*)(std::size_t) noexcept>(dlsym(RTLD_NEXT, "malloc"));
    next_free = reinterpret_cast<void (*)(void*) noexcept>(dlsym(RTLD_NEXT, "free"));
}

}  // namespace

extern "C" [[gnu::visibility("default")]] void* malloc(std::size_t bytes) noexcept {
    if (__builtin_expect(next_malloc == nullptr, 0)) { resolve(); }
    return next_malloc(bytes);
}
extern "C" [[gnu::visibility("default")]] void free(void* block) noexcept {
    if (__builtin_expect(next_free == nullptr, 0)) { resolve(); }
    next_free(block);
}
