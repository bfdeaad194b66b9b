// SPDX-License-Identifier: Apache-2.0
#include "platform/address_space.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "platform/module_walk.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

// Some ten a process, and one for each 4 GiB of address space that blocks lie in.
constexpr std::size_t most_own_ranges = 256;

struct own_range {
    std::atomic<std::uint64_t> begin{0};
    std::atomic<std::uint64_t> bytes{0};
};
own_range own_ranges[most_own_ranges];
std::atomic<std::size_t> own_count{0};

constexpr std::uint64_t pagemap_present = std::uint64_t{1} << 63U;
constexpr std::uint64_t pagemap_swapped = std::uint64_t{1} << 62U;
constexpr std::uint64_t pagemap_exclusive = std::uint64_t{1} << 56U;

page_state state_of(std::uint64_t word) noexcept {
    if ((word & pagemap_present) != 0) { return (word & pagemap_exclusive) != 0 ? page_state::resident : page_state::shared; }
    return (word & pagemap_swapped) != 0 ? page_state::swapped : page_state::absent;
}

bool ask_mincore(std::uint64_t begin, std::size_t count, page_state* into) noexcept {
    static_assert(sizeof(page_state) == 1);
    auto* const flags = reinterpret_cast<unsigned char*>(into);
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    if (mincore(reinterpret_cast<void*>(begin), count * page_bytes, flags) != 0) { return false; }
    for (std::size_t i = 0; i < count; ++i) { into[i] = (flags[i] & 1U) != 0 ? page_state::resident : page_state::absent; }
    return true;
}

}  // namespace

void note_own_memory(const void* begin, std::size_t bytes) noexcept {
    const std::size_t index = own_count.fetch_add(1, std::memory_order_relaxed);  // relaxed: a row is taken, nothing published
    if (index >= most_own_ranges) { return; }
    // relaxed: the row says nothing before its size does.
    own_ranges[index].begin.store(reinterpret_cast<std::uint64_t>(begin), std::memory_order_relaxed);
    // release: pairs with the acquire in own_memory().
    own_ranges[index].bytes.store(bytes, std::memory_order_release);
}

std::vector<address_range> own_memory() {
    std::vector<address_range> list;
    for (const own_range& each : own_ranges) {
        // acquire: pairs with the release in note_own_memory().
        const std::uint64_t bytes = each.bytes.load(std::memory_order_acquire);
        // relaxed: published by the size.
        const std::uint64_t begin = each.begin.load(std::memory_order_relaxed);
        if (bytes != 0) { list.push_back({begin, begin + (bytes + page_bytes - 1) / page_bytes * page_bytes}); }
    }
    return list;
}

page_reader::page_reader() noexcept : descriptor_(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)) {
    try {
        words_.resize(batch);
    } catch (...) {}  // read() sees that there is no room
}

page_reader::~page_reader() {
    if (descriptor_ >= 0) { ::close(descriptor_); }
}

bool page_reader::read(std::uint64_t begin, std::size_t count, page_state* into) noexcept {
    std::fill_n(into, count, page_state::absent);
    if (descriptor_ < 0 || words_.empty()) { return ask_mincore(begin, count, into); }
    for (std::size_t done = 0; done < count;) {
        const std::size_t wanted = std::min(count - done, batch);
        const ssize_t got = ::pread(descriptor_, words_.data(), wanted * sizeof(std::uint64_t),
                                    static_cast<off_t>((begin / page_bytes + done) * sizeof(std::uint64_t)));
        if (got < static_cast<ssize_t>(sizeof(std::uint64_t))) { return done == 0 ? ask_mincore(begin, count, into) : false; }
        const std::size_t words = static_cast<std::size_t>(got) / sizeof(std::uint64_t);
        for (std::size_t i = 0; i < words; ++i) { into[done + i] = state_of(words_[i]); }
        done += words;
    }
    return true;
}

std::size_t copy_memory(std::uint64_t address, void* into, std::size_t bytes) noexcept {
    const iovec local{into, bytes};
    const iovec remote{reinterpret_cast<void*>(address), bytes};  // NOLINT(performance-no-int-to-ptr)
    const ssize_t copied = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    if (copied >= 0) { return static_cast<std::size_t>(copied); }
    if (errno == EFAULT) { return 0; }
    // A system call filter forbids it: the file of the same meaning, opened each time as this is the rare way.
    const int file = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    if (file < 0) { return 0; }
    const ssize_t read = ::pread(file, into, bytes, static_cast<off_t>(address));
    ::close(file);
    return read > 0 ? static_cast<std::size_t>(read) : 0;
}

std::uint64_t program_break() noexcept {
    return (reinterpret_cast<std::uint64_t>(sbrk(0)) + page_bytes - 1) / page_bytes * page_bytes;
}

std::vector<module_image> module_images() {
    std::vector<module_image> images;
    walk_modules(
        [](dl_phdr_info* info, std::size_t, void* list) {
            try {
                module_image image;
                image.path = info->dlpi_name;
                for (ElfW(Half) i = 0; i < info->dlpi_phnum; ++i) {
                    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
                    if (segment.p_type != PT_LOAD) { continue; }
                    const std::uint64_t begin = (info->dlpi_addr + segment.p_vaddr) / page_bytes * page_bytes;
                    const std::uint64_t end = info->dlpi_addr + segment.p_vaddr + segment.p_memsz;
                    image.range.begin = image.range.end == 0 ? begin : std::min(image.range.begin, begin);
                    image.range.end = std::max(image.range.end, (end + page_bytes - 1) / page_bytes * page_bytes);
                }
                static_cast<std::vector<module_image>*>(list)->push_back(std::move(image));
                return 0;
            } catch (...) { return 1; }  // out of memory inside the C library's iteration: keep what we have
        },
        &images);
    if (!images.empty() && images.front().path.empty()) { images.front().path = executable_path(); }
    for (const loaded_module& each : loaded_modules()) {
        for (module_image& image : images) {
            if (image.range.contains(each.start)) { image.build_id = each.build_id; }
        }
    }
    return images;
}

#if defined(__x86_64__)
const bool can_find_stacks = true;
#else
const bool can_find_stacks = false;
#endif

std::uint64_t stack_end_in([[maybe_unused]] const address_range& mapping) noexcept {
#if defined(__x86_64__)
    // struct pthread, 2,304 bytes in glibc 2.36, is the last thing below a stack's top. It begins with its own address, and
    // says it once more at its third word.
    constexpr std::size_t looked_at = 2 * page_bytes;
    if (mapping.end - mapping.begin < looked_at) { return 0; }
    std::array<std::uint64_t, looked_at / sizeof(std::uint64_t)> words;
    const std::uint64_t from = mapping.end - looked_at;
    if (copy_memory(from, words.data(), looked_at) != looked_at) { return 0; }
    for (std::size_t i = words.size() - 2; i-- > 0;) {
        const std::uint64_t address = from + i * sizeof(std::uint64_t);
        if (words[i] == address && words[i + 2] == address && address % 16 == 0) { return mapping.end; }
    }
#endif
    return 0;
}

std::uint64_t socket_count() {
    DIR* const folder = ::opendir("/proc/self/fd");
    if (folder == nullptr) { return 0; }
    constexpr int most = 1 << 16U;
    std::uint64_t count = 0;
    int seen = 0;
    for (const dirent* entry = ::readdir(folder); entry != nullptr && seen < most; entry = ::readdir(folder), ++seen) {
        char target[16];
        const ssize_t size = ::readlinkat(::dirfd(folder), entry->d_name, target, sizeof target);
        if (size >= 8 && std::memcmp(target, "socket:[", 8) == 0) { ++count; }
    }
    ::closedir(folder);
    return count;
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
