// SPDX-License-Identifier: Apache-2.0
// As little of a malloc as the C library asks of a replacement: malloc, free, calloc, realloc. No memalign, no
// malloc_usable_size, nothing is reused; a block of another heap ends the process.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

constexpr std::size_t heap_bytes = std::size_t{1} << 30U;
std::atomic<std::size_t> used{0};

char* heap() {
    static char* const memory = static_cast<char*>(
        mmap(nullptr, heap_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    return memory;
}

std::size_t& size_of(void* block) { return reinterpret_cast<std::size_t*>(block)[-2]; }

void must_own(const void* block);

}  // namespace

#define OWN extern "C" [[gnu::visibility("default")]]

OWN bool is_of_own_malloc(const void* block) {
    const auto offset = reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(heap());
    return offset < heap_bytes;
}

namespace {
void must_own(const void* block) {
    if (is_of_own_malloc(block)) { return; }
    constexpr char complaint[] = "own_malloc: a block of another heap\n";
    static_cast<void>(!write(STDERR_FILENO, complaint, sizeof complaint - 1));
    _exit(99);
}
}  // namespace

OWN void* malloc(std::size_t bytes) noexcept {
    const std::size_t whole = (bytes + 31) / 16 * 16;
    if (bytes > heap_bytes || used.load() + whole > heap_bytes) {
        errno = ENOMEM;
        return nullptr;
    }
    char* const block = heap() + used.fetch_add(whole) + 16;
    size_of(block) = bytes;
    return block;
}

OWN void free(void* block) noexcept {
    if (block != nullptr) { must_own(block); }
}

OWN void* calloc(std::size_t count, std::size_t bytes) noexcept { return malloc(count * bytes); }  // never reused: zeroed

OWN void* realloc(void* block, std::size_t bytes) noexcept {
    if (block == nullptr) { return malloc(bytes); }
    must_own(block);
    void* const fresh = malloc(bytes);
    if (fresh != nullptr) { std::memcpy(fresh, block, size_of(block) < bytes ? size_of(block) : bytes); }
    return fresh;
}
