// SPDX-License-Identifier: Apache-2.0
#pragma once
// The address space of this process as the kernel sees it: which pages are in memory, what stands in them (also where they may
// go at any moment), what the loader has mapped, where threads have their stacks and what memwatch has mapped for itself.
//
// Threads: any, outside of hooks unless said otherwise. Nothing here trusts an address: memory is read through the kernel,
// which answers where a load would end the process.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/base/export.hpp>
#include "platform/platform.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {

inline constexpr std::uint64_t page_bytes = 4096;

// --- memwatch's own mappings
// For whoever maps memory for memwatch; reserve_memory() does it itself. Ranges beyond the table's room are not known. [hook]
MEMWATCH_API void note_own_memory(const void* begin, std::size_t bytes) noexcept;
[[nodiscard]] std::vector<address_range> own_memory();

// --- pages
// `shared`: in memory, and not this process' alone: a page since a fork(), or the one page of zeroes that stands for anonymous
// memory that was read and never written. The latter is in no VmRSS.
enum class page_state : std::uint8_t { absent, resident, shared, swapped };

// /proc/self/pagemap or, without one, mincore(2), which knows neither what is shared nor what is swapped.
class page_reader {
public:
    page_reader() noexcept;
    ~page_reader();
    page_reader(const page_reader&) = delete;
    page_reader& operator=(const page_reader&) = delete;

    // The states of `count` pages from `begin`, a page's first byte, on. False: they cannot be had; all are absent then.
    bool read(std::uint64_t begin, std::size_t count, page_state* into) noexcept;

private:
    static constexpr std::size_t batch = 4096;
    int descriptor_{-1};
    std::vector<std::uint64_t> words_;
};

// Copies what stands at `address`; bytes copied, less when something is not mapped (any more). Never faults.
std::size_t copy_memory(std::uint64_t address, void* into, std::size_t bytes) noexcept;

// Where the memory that brk(2) gave ends, as a page's first byte.
[[nodiscard]] std::uint64_t program_break() noexcept;

// --- what the loader has mapped
struct module_image {
    std::string path;
    std::string build_id;
    address_range range;  // from its first segment to the end of its last, .bss included
};
// The main executable first. Empty where walk_modules() does not walk.
[[nodiscard]] std::vector<module_image> module_images();

// --- threads
// Whether stack_end_in() can tell on this machine.
extern const bool can_find_stacks;
// Where in `mapping` a thread's stack ends, if one does: glibc puts the control block at its top. 0: there is none.
[[nodiscard]] std::uint64_t stack_end_in(const address_range& mapping) noexcept;

// Open descriptors that are sockets. Up to some 64 Ki descriptors are looked at.
[[nodiscard]] std::uint64_t socket_count();

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
