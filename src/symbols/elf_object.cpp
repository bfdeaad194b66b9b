// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf_object.hpp"

#include <elfutils/libdwelf.h>
#include <gelf.h>

#include <algorithm>
#include <limits>

namespace memwatch {
inline namespace v1 {

result<elf_object> elf_object::open(const std::string& path) {
    static const unsigned version = elf_version(EV_CURRENT);
    if (version == EV_NONE) { return fail(error_code::unsupported, "libelf is older than its header", path); }
    result<regular_file> file = regular_file::open(path);
    if (!file) { return tl::unexpected<error>(file.error()); }
    elf_object object(std::move(*file), nullptr);
    object.elf_.reset(elf_begin(object.file_.descriptor(), ELF_C_READ_MMAP, nullptr));
    if (object.elf_ == nullptr || elf_kind(object.handle()) != ELF_K_ELF) {
        return fail(error_code::unreadable, "not an ELF file", path);
    }
    return object;
}

std::string elf_object::build_id() const {
    const void* bytes = nullptr;
    const ssize_t size = dwelf_elf_gnu_build_id(handle(), &bytes);
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (ssize_t i = 0; i < size; ++i) {
        const unsigned char byte = static_cast<const unsigned char*>(bytes)[i];
        text += digits[byte >> 4U];
        text += digits[byte & 0xFU];
    }
    return text;
}

std::optional<std::uint64_t> elf_object::address_of(std::uint64_t file_offset) const {
    std::size_t count = 0;
    if (elf_getphdrnum(handle(), &count) != 0) { return std::nullopt; }
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr segment;
        if (gelf_getphdr(handle(), static_cast<int>(i), &segment) == nullptr) { break; }
        const bool is_inside = file_offset >= segment.p_offset && file_offset - segment.p_offset < segment.p_filesz;
        if (segment.p_type == PT_LOAD && is_inside) { return segment.p_vaddr + (file_offset - segment.p_offset); }
    }
    return std::nullopt;
}

std::optional<std::uint64_t> elf_object::executable_start() const {
    constexpr std::uint64_t page_bytes = 4096;
    std::size_t count = 0;
    if (elf_getphdrnum(handle(), &count) != 0) { return std::nullopt; }
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr segment;
        if (gelf_getphdr(handle(), static_cast<int>(i), &segment) == nullptr) { break; }
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0) { return segment.p_vaddr & ~(page_bytes - 1); }
    }
    return std::nullopt;
}

bool elf_object::has_section(std::uint32_t type) const {
    for (Elf_Scn* section = elf_nextscn(handle(), nullptr); section != nullptr; section = elf_nextscn(handle(), section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) != nullptr && header.sh_type == type) { return true; }
    }
    return false;
}

symbol_table::symbol_table(const elf_object& from, std::uint32_t section_type) {
    for (Elf_Scn* section = elf_nextscn(from.handle(), nullptr); section != nullptr;
         section = elf_nextscn(from.handle(), section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr || header.sh_type != section_type || header.sh_entsize == 0) { continue; }
        Elf_Data* const data = elf_getdata(section, nullptr);
        if (data == nullptr) { continue; }
        const std::size_t count = std::min<std::size_t>(data->d_size / header.sh_entsize, std::numeric_limits<int>::max());
        for (std::size_t i = 0; i < count; ++i) {
            GElf_Sym entry;
            if (gelf_getsym(data, static_cast<int>(i), &entry) == nullptr) { break; }
            const int type = GELF_ST_TYPE(entry.st_info), binding = GELF_ST_BIND(entry.st_info);
            if ((type != STT_FUNC && type != STT_GNU_IFUNC) || entry.st_shndx == SHN_UNDEF) { continue; }
            const char* const name = elf_strptr(from.handle(), header.sh_link, entry.st_name);
            if (name == nullptr || *name == '\0') { continue; }
            const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - entry.st_value;
            symbols_.push_back({entry.st_value, entry.st_value + std::min<std::uint64_t>(entry.st_size, room), name,
                                binding == STB_GLOBAL ? 3U
                                : binding == STB_WEAK ? 2U
                                                      : 1U});
        }
        break;
    }
    std::sort(symbols_.begin(), symbols_.end(), [](const symbol& a, const symbol& b) {
        return a.start != b.start ? a.start < b.start : a.rank < b.rank;  // the best name of an address comes last
    });
    for (std::size_t i = 0; i + 1 < symbols_.size(); ++i) {
        if (symbols_[i].end == symbols_[i].start) { symbols_[i].end = symbols_[i + 1].start; }
    }
}

const char* symbol_table::function_at(std::uint64_t address) const noexcept {
    auto at = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                               [](std::uint64_t value, const symbol& s) { return value < s.start; });
    // Functions seldom overlap; a few steps back find one that does, e.g. behind a nested local label.
    for (int steps = 0; at != symbols_.begin() && steps < 8; ++steps) {
        --at;
        if (address < at->end) { return at->name; }
    }
    return nullptr;
}

}  // namespace v1
}  // namespace memwatch
