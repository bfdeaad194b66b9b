// SPDX-License-Identifier: Apache-2.0
#include "interpose/function_slots.hpp"

namespace memwatch::interpose {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t jump_slot = R_X86_64_JUMP_SLOT;
constexpr std::uint32_t global_word = R_X86_64_GLOB_DAT;
constexpr std::uint32_t data_word = R_X86_64_64;
#elif defined(__aarch64__)
constexpr std::uint32_t jump_slot = R_AARCH64_JUMP_SLOT;
constexpr std::uint32_t global_word = R_AARCH64_GLOB_DAT;
constexpr std::uint32_t data_word = R_AARCH64_ABS64;
#else
#error "relocations of this machine are not known"
#endif

struct dynamic_words {
    std::uintptr_t plt_table, plt_bytes, plt_kind, table, table_bytes, entry_bytes, symbols, symbol_bytes, names, names_bytes;
};

dynamic_words collect(const ElfW(Dyn) * entries, std::size_t count) noexcept {
    dynamic_words words{};
    const struct {
        ElfW(Sxword) tag;
        std::uintptr_t dynamic_words::*into;
    } wanted[] = {{DT_JMPREL, &dynamic_words::plt_table},   {DT_PLTRELSZ, &dynamic_words::plt_bytes},
                  {DT_PLTREL, &dynamic_words::plt_kind},    {DT_RELA, &dynamic_words::table},
                  {DT_RELASZ, &dynamic_words::table_bytes}, {DT_RELAENT, &dynamic_words::entry_bytes},
                  {DT_SYMTAB, &dynamic_words::symbols},     {DT_SYMENT, &dynamic_words::symbol_bytes},
                  {DT_STRTAB, &dynamic_words::names},       {DT_STRSZ, &dynamic_words::names_bytes}};
    for (std::size_t i = 0; i < count && entries[i].d_tag != DT_NULL; ++i) {
        for (const auto& each : wanted) {
            if (each.tag == entries[i].d_tag) { words.*each.into = entries[i].d_un.d_val; }
        }
    }
    return words;
}

}  // namespace

module_slots::module_slots(std::uintptr_t base, const ElfW(Phdr) * headers, std::size_t header_count) noexcept
    : base_(base), headers_(headers), header_count_(header_count) {
    for (std::size_t i = 0; i < header_count; ++i) {
        if (headers[i].p_type != PT_DYNAMIC) { continue; }
        const std::uintptr_t at = base + headers[i].p_vaddr;
        if (at % alignof(ElfW(Dyn)) != 0 || !lies_in(at, headers[i].p_memsz, PF_R)) { return; }
        read_dynamic(reinterpret_cast<const ElfW(Dyn)*>(at), headers[i].p_memsz / sizeof(ElfW(Dyn)));
        return;
    }
}

void module_slots::read_dynamic(const ElfW(Dyn) * entries, std::size_t count) noexcept {
    const dynamic_words words = collect(entries, count);
    if (words.symbol_bytes != sizeof(ElfW(Sym)) || words.symbols == 0 || words.names == 0 || words.names_bytes == 0) { return; }
    const std::uintptr_t names = pointer(words.names);
    if (!lies_in(names, words.names_bytes, PF_R)) { return; }
    names_ = reinterpret_cast<const char*>(names);
    names_bytes_ = words.names_bytes;
    if (names_[names_bytes_ - 1] != '\0') { return; }  // a name could end anywhere
    symbols_ = pointer(words.symbols);
    if (words.plt_kind == DT_RELA) { tables_[0] = table_at(words.plt_table, words.plt_bytes); }
    if (words.entry_bytes == sizeof(ElfW(Rela))) { tables_[1] = table_at(words.table, words.table_bytes); }
}

// glibc has added the base already, other dynamic linkers have not.
std::uintptr_t module_slots::pointer(std::uintptr_t value) const noexcept { return value < base_ ? base_ + value : value; }

module_slots::table module_slots::table_at(std::uintptr_t value, std::size_t bytes) const noexcept {
    const std::uintptr_t at = pointer(value);
    if (value == 0 || at % alignof(ElfW(Rela)) != 0 || !lies_in(at, bytes, PF_R)) { return {}; }
    return {reinterpret_cast<const ElfW(Rela)*>(at), bytes / sizeof(ElfW(Rela))};
}

bool module_slots::read(const ElfW(Rela) & entry, function_slot& into) const noexcept {
    const std::uint32_t kind = ELF64_R_TYPE(entry.r_info);
    if ((kind != jump_slot && kind != global_word && kind != data_word) || entry.r_addend != 0) { return false; }
    const std::uintptr_t where = base_ + entry.r_offset;
    if (where % sizeof where != 0 || !lies_in(where, sizeof where, PF_W)) { return false; }
    const char* const name = name_of(ELF64_R_SYM(entry.r_info));
    if (name == nullptr) { return false; }
    into = {reinterpret_cast<std::uintptr_t*>(where), name, kind == jump_slot};
    return true;
}

const char* module_slots::name_of(std::size_t symbol) const noexcept {
    const std::uintptr_t at = symbols_ + symbol * sizeof(ElfW(Sym));
    if (symbol == 0 || at % alignof(ElfW(Sym)) != 0 || !lies_in(at, sizeof(ElfW(Sym)), PF_R)) { return nullptr; }
    const std::size_t name = reinterpret_cast<const ElfW(Sym)*>(at)->st_name;
    return name < names_bytes_ ? names_ + name : nullptr;
}

bool module_slots::lies_in(std::uintptr_t address, std::size_t bytes, std::uint32_t flags) const noexcept {
    for (std::size_t i = 0; i < header_count_; ++i) {
        const ElfW(Phdr)& segment = headers_[i];
        if (segment.p_type != PT_LOAD || (segment.p_flags & flags) != flags) { continue; }
        const std::uintptr_t offset = address - (base_ + segment.p_vaddr);  // wraps for what lies before
        if (offset < segment.p_memsz && bytes <= segment.p_memsz - offset) { return true; }
    }
    return false;
}

}  // namespace memwatch::interpose
