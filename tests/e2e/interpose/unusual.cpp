// SPDX-License-Identifier: Apache-2.0
// A program in unusual company: a malloc of its own (own_malloc.cpp, linked in or in a library), operators of its own
// (own_operators.cpp, a library), or an address of malloc that is its own (no position-independent code). Also a realloc that
// fails. Ends with 0 when all is as it would be without memwatch.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" [[gnu::weak]] bool is_of_own_malloc(const void* block);
[[gnu::weak]] extern long own_news;
[[gnu::weak]] extern long own_deletes;

namespace {

// By address, taken in code: in a program that is not position-independent it becomes an entry of the program's own.
void* allocate(std::size_t bytes) {
    void* (*function)(std::size_t) = &std::malloc;
    asm volatile("" : "+r"(function));
    return function(bytes);
}
void release(void* block) {
    void (*function)(void*) = &std::free;
    asm volatile("" : "+r"(function));
    function(block);
}

int failures = 0;
void check(bool is_fine, const char* what) {
    if (is_fine) { return; }
    ++failures;
    std::fprintf(stderr, "unusual: %s\n", what);
}

bool is_all(const char* block, std::size_t bytes, char expected) {
    for (std::size_t i = 0; i < bytes; ++i) {
        if (block[i] != expected) { return false; }
    }
    return true;
}

void grow() {
    for (std::size_t bytes = 16; bytes < 600'000; bytes = bytes * 3 / 2) {
        auto* block = static_cast<char*>(allocate(bytes));
        std::memset(block, 'a', bytes);
        block = static_cast<char*>(std::realloc(block, 2 * bytes));
        check(block != nullptr && is_all(block, bytes, 'a'), "realloc lost bytes");
        if (&is_of_own_malloc != nullptr) { check(is_of_own_malloc(block), "a block of another heap"); }
        release(block);
    }
}

void fail_to_grow() {
    volatile std::size_t too_much = std::size_t{1} << 60U;
    auto* const block = static_cast<char*>(allocate(100));
    std::memset(block, 'b', 100);
    for (int i = 0; i < 10; ++i) {
        errno = 0;
        check(std::realloc(block, too_much) == nullptr && errno == ENOMEM, "a realloc of 2^60 bytes");
        check(is_all(block, 100, 'b'), "a failed realloc changed the block");
    }
    release(block);
}

void use_operators() {
    struct large {
        char bytes[5000];
    };
    const long before = &own_news == nullptr ? 0 : own_news - own_deletes;
    for (int i = 0; i < 2000; ++i) {
        auto* const small = new char[40];
        auto* const one = new large;
        if (&is_of_own_malloc != nullptr) { check(is_of_own_malloc(small) && is_of_own_malloc(one), "new took another heap"); }
        asm volatile("" : : "r"(small), "r"(one) : "memory");
        delete[] small;
        delete one;
    }
    if (&own_news != nullptr) { check(own_news >= 4000 && own_news - own_deletes == before, "own operators are passed by"); }
}

}  // namespace

int main() {
    grow();
    fail_to_grow();
    use_operators();
    return failures == 0 ? 0 : 1;
}
