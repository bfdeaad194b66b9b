// SPDX-License-Identifier: Apache-2.0
// Code that calls malloc and free by itself: opened with RTLD_DEEPBIND they are libc's own.
#include <cstddef>
#include <cstdlib>

extern "C" [[gnu::visibility("default")]] void foreign_free(void* block) { std::free(block); }
extern "C" [[gnu::visibility("default")]] void* foreign_malloc(std::size_t bytes) { return std::malloc(bytes); }
