// SPDX-License-Identifier: Apache-2.0
// A program linked to an allocator that is not in charge of its malloc (LD_PRELOAD=libc.so.6). It is C in effect: what it news
// and deletes goes well only under memwatch, which has one heap for all (jemalloc's delete alone would give its blocks to
// libc's free), so it does that only when asked to.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int argc, char** argv) {
    for (std::size_t bytes = 1; bytes < 200'000; bytes += 97) {
        auto* const block = static_cast<char*>(std::malloc(bytes));
        if (block == nullptr) { return 1; }
        std::memset(block, 'a', bytes);
        std::free(block);
    }
    if (argc > 1 && std::strcmp(argv[1], "operators") == 0) {
        for (std::size_t bytes = 1; bytes < 200'000; bytes += 97) {
            auto* const block = new char[bytes];
            std::memset(block, 'b', bytes);
            delete[] block;
        }
    }
    std::puts("fine");
    return 0;
}
