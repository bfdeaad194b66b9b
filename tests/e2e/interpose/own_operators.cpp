// SPDX-License-Identifier: Apache-2.0
// A library's own operator new and delete, which keep count.
#include <cstdlib>
#include <new>

#define OWN [[gnu::visibility("default")]]

OWN long own_news = 0;
OWN long own_deletes = 0;

OWN void* operator new(std::size_t bytes) {
    ++own_news;
    if (void* const block = std::malloc(bytes); block != nullptr) { return block; }
    throw std::bad_alloc();
}
OWN void operator delete(void* block) noexcept {
    ++own_deletes;
    std::free(block);
}
OWN void operator delete(void* block, std::size_t) noexcept { operator delete(block); }
