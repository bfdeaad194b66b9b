// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where a loaded module keeps the addresses of functions it calls but does not hold: the words that the dynamic linker filled
// in by name. Read from the module's own relocation tables (PT_DYNAMIC), not from its file.
//
//   DT_JMPREL  JUMP_SLOT malloc     -> .got.plt word: the function, or, bound lazily and never called, a stub of the module
//   DT_RELA    GLOB_DAT  free       -> .got word, usually in RELRO: calls without a stub, &free
//              64        realloc+0  -> a word of data: a table of functions
//
// In: a module as dl_iterate_phdr tells of it. Out: words and names. What is out of bounds is left out, whatever the tables
// say. Threads: any, while the module stays loaded. Allocates: nothing.

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstdint>

namespace memwatch::interpose {

struct function_slot {
    std::uintptr_t* where;  // aligned, in a segment of the module that is data
    const char* name;
    bool may_be_unbound;  // a JUMP_SLOT
};

class module_slots {
public:
    // `headers` as mapped; nothing is found in a module without a dynamic section.
    module_slots(std::uintptr_t base, const ElfW(Phdr) * headers, std::size_t header_count) noexcept;

    // Calls visit(const function_slot&) for each word filled in by name, in the order of the tables.
    template <class Visit>
    void for_each(Visit visit) const {
        for (const table& each : tables_) {
            for (std::size_t i = 0; i < each.count; ++i) {
                function_slot slot{};
                if (read(each.entries[i], slot)) { visit(slot); }
            }
        }
    }

    // Whether it is an address in this module's code: what an unbound slot holds.
    [[nodiscard]] bool holds_code_at(std::uintptr_t address) const noexcept { return lies_in(address, 1, PF_X); }

private:
    struct table {
        const ElfW(Rela) * entries;
        std::size_t count;
    };

    void read_dynamic(const ElfW(Dyn) * entries, std::size_t count) noexcept;
    [[nodiscard]] std::uintptr_t pointer(std::uintptr_t value) const noexcept;
    [[nodiscard]] table table_at(std::uintptr_t value, std::size_t bytes) const noexcept;
    [[nodiscard]] bool read(const ElfW(Rela) & entry, function_slot& into) const noexcept;
    [[nodiscard]] const char* name_of(std::size_t symbol) const noexcept;
    [[nodiscard]] bool lies_in(std::uintptr_t address, std::size_t bytes, std::uint32_t flags) const noexcept;

    std::uintptr_t base_;
    const ElfW(Phdr) * headers_;
    std::size_t header_count_;
    table tables_[2]{};  // DT_JMPREL, DT_RELA
    std::uintptr_t symbols_{};
    const char* names_{};
    std::size_t names_bytes_{};
};

}  // namespace memwatch::interpose
