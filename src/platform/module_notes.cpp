// SPDX-License-Identifier: Apache-2.0
#include "platform/module_notes.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstring>

#include "platform/module_walk.hpp"

namespace memwatch {
inline namespace v1 {
namespace platform {
namespace {

constexpr char owner[] = "memwatch";

struct note_search {
    std::size_t bytes;
    bool (*visit)(void* context, void* pointed_to) noexcept;
    void* context;
};

// Whether [address, address + bytes) is writable data of the module.
bool is_data_of(const dl_phdr_info& module, std::uint64_t address, std::size_t bytes) noexcept {
    for (ElfW(Half) i = 0; i < module.dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = module.dlpi_phdr[i];
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) == 0) { continue; }
        const std::uint64_t begin = module.dlpi_addr + segment.p_vaddr;
        if (address >= begin && address - begin <= segment.p_memsz && segment.p_memsz - (address - begin) >= bytes) {
            return true;
        }
    }
    return false;
}

// True: the search is over.
bool take_note(const dl_phdr_info& module, const char* description, const note_search& search) noexcept {
    std::int64_t way = 0;
    std::memcpy(&way, description, sizeof way);
    const std::uint64_t address = reinterpret_cast<std::uint64_t>(description) + static_cast<std::uint64_t>(way);
    return is_data_of(module, address, search.bytes) && search.visit(search.context, reinterpret_cast<void*>(address));
}

// The notes at [at, end): each a header, a name padded to 4 bytes, a description padded to `alignment`.
bool search_notes(const dl_phdr_info& module, const char* at, const char* end, std::size_t alignment,
                  const note_search& search) noexcept {
    const auto padded = [](std::size_t size, std::size_t to) { return (size + to - 1) & ~(to - 1); };
    while (static_cast<std::size_t>(end - at) >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        std::memcpy(&note, at, sizeof note);
        const std::size_t before = sizeof note + padded(note.n_namesz, 4);
        const std::size_t total = padded(before + note.n_descsz, alignment);
        if (before + note.n_descsz > static_cast<std::size_t>(end - at)) { return false; }
        if (note.n_type == module_note_type && note.n_namesz == sizeof owner && note.n_descsz == sizeof(std::int64_t) &&
            std::memcmp(at + sizeof note, owner, sizeof owner) == 0 && take_note(module, at + before, search)) {
            return true;
        }
        if (total > static_cast<std::size_t>(end - at)) { return false; }
        at += total;
    }
    return false;
}

int search_module(dl_phdr_info* module, std::size_t /*size*/, void* search) {
    for (ElfW(Half) i = 0; i < module->dlpi_phnum; ++i) {
        const ElfW(Phdr)& segment = module->dlpi_phdr[i];
        if (segment.p_type != PT_NOTE) { continue; }
        const char* const notes = reinterpret_cast<const char*>(module->dlpi_addr + segment.p_vaddr);
        if (search_notes(*module, notes, notes + segment.p_memsz, segment.p_align == 8 ? 8 : 4,
                         *static_cast<note_search*>(search))) {
            return 1;
        }
    }
    return 0;
}

// Linked with -z nodelete, as libmemwatch is: nothing to ask for, and nothing is allocated.
bool is_kept_anyway(const link_map& module) noexcept {
    for (const ElfW(Dyn)* entry = module.l_ld; entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == DT_FLAGS_1 && (entry->d_un.d_val & DF_1_NODELETE) != 0) { return true; }
    }
    return false;
}

}  // namespace

void visit_notes(std::size_t bytes, bool (*visit)(void* context, void* pointed_to) noexcept, void* context) noexcept {
    note_search search{bytes, visit, context};
    walk_modules(&search_module, &search);
}

bool keep_module_loaded(const void* address) noexcept {
    Dl_info info{};
    void* found = nullptr;
    if (dladdr1(address, &info, &found, RTLD_DL_LINKMAP) == 0 || found == nullptr) { return false; }
    const auto& module = *static_cast<const link_map*>(found);
    if (module.l_name == nullptr || module.l_name[0] == '\0' || is_kept_anyway(module)) { return true; }  // "": the executable
    void* const handle = dlopen(module.l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    return handle != nullptr && dlclose(handle) == 0;
}

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
