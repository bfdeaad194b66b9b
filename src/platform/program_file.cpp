// SPDX-License-Identifier: Apache-2.0
#include "platform/program_file.hpp"

#include <elf.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "platform/regular_file.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t most_headers = 4096;
constexpr std::uint64_t most_symbol_bytes = 64U << 20U;
constexpr std::uint64_t most_name_bytes = 64U << 20U;

template <class Value>
std::optional<Value> value_at(const regular_file& file, std::uint64_t offset) {
    Value value;
    return file.read_at(offset, &value, sizeof value) == sizeof value ? std::optional<Value>(value) : std::nullopt;
}

bool names_a_loader(const regular_file& file, const Elf64_Ehdr& header) {
    for (std::size_t i = 0; i < std::min<std::size_t>(header.e_phnum, most_headers); ++i) {
        const auto segment = value_at<Elf64_Phdr>(file, header.e_phoff + i * sizeof(Elf64_Phdr));
        if (segment && segment->p_type == PT_INTERP) { return true; }
    }
    return false;
}

std::string bytes_of(const regular_file& file, const Elf64_Shdr& section, std::uint64_t most) {
    if (section.sh_size > most || section.sh_offset > file.size_bytes()) { return {}; }
    std::string bytes(std::min(section.sh_size, file.size_bytes() - section.sh_offset), '\0');
    bytes.resize(file.read_at(section.sh_offset, bytes.data(), bytes.size()));
    return bytes;
}

void find_names(const std::string& symbols, const std::string& text, const std::vector<std::string>& names,
                program_file& into) {
    for (std::size_t at = 0; at + sizeof(Elf64_Sym) <= symbols.size(); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        std::memcpy(&symbol, symbols.data() + at, sizeof symbol);
        if (symbol.st_name >= text.size()) { continue; }
        const std::string_view name(text.c_str() + symbol.st_name);
        const auto wanted = std::find(names.begin(), names.end(), name);
        if (wanted != names.end()) { (symbol.st_shndx == SHN_UNDEF ? into.imports : into.defines).push_back(*wanted); }
    }
}

void inspect_symbols(const regular_file& file, const Elf64_Ehdr& header, const std::vector<std::string>& names,
                     program_file& into) {
    for (std::size_t i = 0; i < std::min<std::size_t>(header.e_shnum, most_headers); ++i) {
        const auto table = value_at<Elf64_Shdr>(file, header.e_shoff + i * sizeof(Elf64_Shdr));
        if (!table || table->sh_type != SHT_DYNSYM) { continue; }
        const auto text = value_at<Elf64_Shdr>(file, header.e_shoff + std::uint64_t{table->sh_link} * sizeof(Elf64_Shdr));
        if (text) {
            find_names(bytes_of(file, *table, most_symbol_bytes), bytes_of(file, *text, most_name_bytes), names, into);
        }
        return;
    }
}

// "#! /usr/bin/env -S python3" -> "/usr/bin/env"
std::string interpreter_in(std::string_view first_bytes) {
    const std::string_view line = first_bytes.substr(2, first_bytes.find('\n') - 2);
    const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
    return std::string(line.substr(begin, line.find_first_of(" \t", begin) - begin));
}

}  // namespace

result<program_file> program_file::inspect(const std::string& path, const std::vector<std::string>& names) {
    const result<regular_file> file = regular_file::open(path);
    if (!file) { return tl::unexpected<error>(file.error()); }
    program_file out;
    struct stat info {};
    out.is_set_id = ::stat(path.c_str(), &info) == 0 && (info.st_mode & (S_ISUID | S_ISGID)) != 0;
    out.has_capabilities = ::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
    char first[256] = {};
    const std::string_view bytes(first, file->read_at(0, first, sizeof first));
    if (bytes.substr(0, 2) == "#!") {
        out.is = kind::script;
        out.interpreter = interpreter_in(bytes);
        return out;
    }
    if (bytes.substr(0, SELFMAG) != ELFMAG) { return out; }
    out.is = kind::elf;
    out.elf_class = static_cast<std::uint8_t>(first[EI_CLASS]);
    const auto header = value_at<Elf64_Ehdr>(*file, 0);
    if (!header) { return out; }
    out.machine = header->e_machine;  // at the same place in files of both classes
    if (out.elf_class != ELFCLASS64 || header->e_phentsize != sizeof(Elf64_Phdr)) { return out; }
    out.is_position_independent = header->e_type == ET_DYN;
    out.has_loader = names_a_loader(*file, *header);
    if (header->e_shentsize == sizeof(Elf64_Shdr)) { inspect_symbols(*file, *header, names, out); }
    return out;
}

}  // namespace v1
}  // namespace memwatch
