// SPDX-License-Identifier: Apache-2.0
// Code whose return addresses are known: it says where each call returned to, and on which line the call stands. Built as a
// program with and without PIE, as a shared object, stripped, and without debug information.

#include <elf.h>
#include <link.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace {

struct observed {
    void* outer_return;
    void* entry_return;
    int inner_line, middle_line, outer_line, entry_line;
    int inner_start, middle_start, outer_start, entry_start;  // where the functions are declared
} seen;

}  // namespace

namespace orders {

// Not inlined: its return address is the one in outer_call.
__attribute__((noinline)) void leaf() {
    seen.outer_return = __builtin_return_address(0);
    asm volatile("" ::: "memory");
}

namespace {

// In an unnamed namespace: gcc writes no linkage name for it.
inline __attribute__((always_inline)) void inner_inline(int n) {
    seen.inner_start = __LINE__ - 1;
    seen.inner_line = __LINE__ + 1;
    leaf();
    asm volatile("" ::"r"(n) : "memory");
}

}  // namespace

inline __attribute__((always_inline)) void middle_inline(int n) {
    seen.middle_start = __LINE__ - 1;
    seen.middle_line = __LINE__ + 1;
    inner_inline(n + 1);
    asm volatile("" ::: "memory");
}

__attribute__((noinline)) int outer_call(int n) {
    seen.outer_start = __LINE__ - 1;
    seen.entry_return = __builtin_return_address(0);
    seen.outer_line = __LINE__ + 1;
    middle_inline(n * 3);
    return n + 1;
}

}  // namespace orders

namespace {

// File offset of an address inside the object that `info` describes; false when it lies elsewhere.
bool file_offset_of(const dl_phdr_info& info, std::uint64_t address, std::uint64_t& offset) {
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = info.dlpi_phdr[i];
        const std::uint64_t start = info.dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_LOAD && address >= start && address < start + segment.p_memsz) {
            offset = address - start + segment.p_offset;
            return true;
        }
    }
    return false;
}

void print_build_id(const dl_phdr_info& info) {
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = info.dlpi_phdr[i];
        if (segment.p_type != PT_NOTE) { continue; }
        const auto* at = reinterpret_cast<const unsigned char*>(info.dlpi_addr + segment.p_vaddr);
        const auto* const end = at + segment.p_memsz;
        while (end - at >= static_cast<long>(sizeof(ElfW(Nhdr)))) {
            ElfW(Nhdr) note;
            std::memcpy(&note, at, sizeof note);
            at += sizeof note + ((note.n_namesz + 3U) & ~3U);
            if (note.n_type == NT_GNU_BUILD_ID) {
                std::printf("build_id=");
                for (unsigned j = 0; j < note.n_descsz; ++j) { std::printf("%02x", at[j]); }
                std::printf("\n");
            }
            at += (note.n_descsz + 3U) & ~3U;
        }
    }
}

int print_object(dl_phdr_info* info, std::size_t, void*) {
    std::uint64_t outer = 0, entry = 0;
    if (!file_offset_of(*info, reinterpret_cast<std::uint64_t>(seen.outer_return), outer)) { return 0; }
    file_offset_of(*info, reinterpret_cast<std::uint64_t>(seen.entry_return), entry);
    print_build_id(*info);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = info->dlpi_phdr[i];
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) { continue; }
        const std::uint64_t page_offset = segment.p_offset % 4096;
        std::printf("start=%llu\nlimit=%llu\nfile_offset=%llu\n",
                    static_cast<unsigned long long>(info->dlpi_addr + segment.p_vaddr - page_offset),
                    static_cast<unsigned long long>(info->dlpi_addr + segment.p_vaddr + segment.p_memsz),
                    static_cast<unsigned long long>(segment.p_offset - page_offset));
    }
    std::printf("outer_return=%llu\nentry_return=%llu\n", static_cast<unsigned long long>(outer),
                static_cast<unsigned long long>(entry));
    return 1;
}

}  // namespace

extern "C" __attribute__((noinline, visibility("default"))) int run_victim(int n) {
    seen.entry_start = __LINE__ - 1;
    seen.entry_line = __LINE__ + 1;
    const int result = orders::outer_call(n);
    dl_iterate_phdr(print_object, nullptr);
    std::printf("inner_line=%d\nmiddle_line=%d\nouter_line=%d\nentry_line=%d\n", seen.inner_line, seen.middle_line,
                seen.outer_line, seen.entry_line);
    std::printf("inner_start=%d\nmiddle_start=%d\nouter_start=%d\nentry_start=%d\n", seen.inner_start, seen.middle_start,
                seen.outer_start, seen.entry_start);
    return result;
}
