// SPDX-License-Identifier: Apache-2.0
#include "platform/elf_symbols.hpp"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "platform/demangle.hpp"
#include "platform/regular_file.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// Far above what linkers write; a header that claims more is not worth the memory.
constexpr std::size_t most_headers = 65'536;
constexpr std::size_t longest_symbol = 4'096;
constexpr std::size_t longest_note_section = 65'536;
constexpr std::size_t chunk_symbols = 2'048;        // 48 KiB of Elf64_Sym
constexpr std::uint64_t most_symbols = 1ULL << 26;  // 1.6 GB of symbol table

struct wanted_address {
    std::uint64_t address;  // in the file's own address space
    std::size_t slot;       // index into the caller's offsets
};

struct symbol_match {
    std::uint64_t start{};
    std::uint32_t name{};  // offset in the string table
    unsigned rank{};       // 0 = none; global before weak before local
};

class elf_reader {
public:
    explicit elf_reader(const regular_file& file) : file_(file) {}

    // False: not a 64-bit little-endian ELF file, or its tables lie outside of it.
    bool open() {
        if (!read(0, header_) || std::memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0) { return false; }
        if (header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_ident[EI_DATA] != ELFDATA2LSB) { return false; }
        return read_table(header_.e_phoff, header_.e_phnum, header_.e_phentsize, segments_) &&
               read_table(header_.e_shoff, header_.e_shnum, header_.e_shentsize, sections_);
    }

    [[nodiscard]] std::optional<std::uint64_t> address_of(std::uint64_t file_offset) const noexcept {
        for (const Elf64_Phdr& segment : segments_) {
            if (segment.p_type == PT_LOAD && file_offset >= segment.p_offset &&
                file_offset - segment.p_offset < segment.p_filesz) {
                return segment.p_vaddr + (file_offset - segment.p_offset);
            }
        }
        return std::nullopt;
    }

    // Lower-case hex; "" = none.
    [[nodiscard]] std::string build_id() const {
        for (const Elf64_Phdr& segment : segments_) {
            if (segment.p_type != PT_NOTE) { continue; }
            if (std::string id = build_id_in(segment.p_offset, segment.p_filesz); !id.empty()) { return id; }
        }
        return {};
    }

    // The names of `wanted` (sorted by address) into `names`: .symtab, else .dynsym.
    void name(const std::vector<wanted_address>& wanted, std::vector<std::string>& names) const {
        for (const std::uint32_t type : {std::uint32_t{SHT_SYMTAB}, std::uint32_t{SHT_DYNSYM}}) {
            for (const Elf64_Shdr& section : sections_) {
                if (section.sh_type != type || section.sh_link >= sections_.size()) { continue; }
                name_from(section, sections_[section.sh_link], wanted, names);
                return;
            }
        }
    }

private:
    template <class T>
    bool read(std::uint64_t offset, T& into) const noexcept {
        return file_.read_at(offset, &into, sizeof(T)) == sizeof(T);
    }

    template <class T>
    bool read_table(std::uint64_t offset, std::size_t count, std::size_t entry_size, std::vector<T>& into) const {
        if (count == 0) { return true; }
        if (entry_size != sizeof(T) || count > most_headers || offset > file_.size_bytes()) { return false; }
        if (count * sizeof(T) > file_.size_bytes() - offset) { return false; }
        into.resize(count);
        return file_.read_at(offset, into.data(), count * sizeof(T)) == count * sizeof(T);
    }

    [[nodiscard]] std::string build_id_in(std::uint64_t offset, std::uint64_t size) const {
        std::vector<unsigned char> notes(std::min<std::uint64_t>(size, longest_note_section));
        notes.resize(file_.read_at(offset, notes.data(), notes.size()));
        std::size_t at = 0;
        while (notes.size() - at >= sizeof(Elf64_Nhdr)) {
            Elf64_Nhdr note;
            std::memcpy(&note, notes.data() + at, sizeof note);
            at += sizeof note;
            const std::uint64_t name_bytes = (std::uint64_t{note.n_namesz} + 3) & ~std::uint64_t{3};
            const std::uint64_t id_bytes = (std::uint64_t{note.n_descsz} + 3) & ~std::uint64_t{3};
            if (name_bytes > notes.size() - at || id_bytes > notes.size() - at - name_bytes) { break; }
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(notes.data() + at, "GNU", 4) == 0) {
                return hex(notes.data() + at + name_bytes, note.n_descsz);
            }
            at += static_cast<std::size_t>(name_bytes + id_bytes);
        }
        return {};
    }

    static std::string hex(const unsigned char* bytes, std::size_t count) {
        static constexpr char digits[] = "0123456789abcdef";
        std::string text;
        for (std::size_t i = 0; i < count; ++i) {
            text += digits[bytes[i] >> 4U];
            text += digits[bytes[i] & 0xFU];
        }
        return text;
    }

    void name_from(const Elf64_Shdr& symbols, const Elf64_Shdr& strings, const std::vector<wanted_address>& wanted,
                   std::vector<std::string>& names) const {
        std::vector<symbol_match> matches(wanted.size());
        std::vector<Elf64_Sym> chunk(chunk_symbols);
        const std::uint64_t count = std::min(symbols.sh_size / sizeof(Elf64_Sym), most_symbols);
        for (std::uint64_t done = 0; done < count;) {
            const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(count - done, chunk_symbols));
            const std::size_t bytes =
                file_.read_at(symbols.sh_offset + done * sizeof(Elf64_Sym), chunk.data(), take * sizeof(Elf64_Sym));
            const std::size_t got = bytes / sizeof(Elf64_Sym);
            for (std::size_t i = 0; i < got; ++i) { match(chunk[i], wanted, matches); }
            if (got < take) { break; }
            done += take;
        }
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            if (matches[i].rank != 0) { names[wanted[i].slot] = demangle(string_at(strings, matches[i].name)); }
        }
    }

    static void match(const Elf64_Sym& symbol, const std::vector<wanted_address>& wanted, std::vector<symbol_match>& matches) {
        const unsigned type = ELF64_ST_TYPE(symbol.st_info), binding = ELF64_ST_BIND(symbol.st_info);
        if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_shndx == SHN_UNDEF || symbol.st_name == 0) { return; }
        const unsigned rank = binding == STB_GLOBAL ? 3 : binding == STB_WEAK ? 2 : 1;
        auto at = std::lower_bound(wanted.begin(), wanted.end(), symbol.st_value,
                                   [](const wanted_address& w, std::uint64_t value) { return w.address < value; });
        for (; at != wanted.end() && at->address - symbol.st_value < symbol.st_size; ++at) {
            symbol_match& best = matches[static_cast<std::size_t>(at - wanted.begin())];
            const bool is_inner = best.rank == 0 || symbol.st_value > best.start;
            if (is_inner || (symbol.st_value == best.start && rank > best.rank)) {
                best = {symbol.st_value, symbol.st_name, rank};
            }
        }
    }

    [[nodiscard]] std::string string_at(const Elf64_Shdr& strings, std::uint32_t offset) const {
        if (offset >= strings.sh_size) { return {}; }
        std::array<char, longest_symbol> text;
        const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(strings.sh_size - offset, text.size()));
        const std::size_t got = file_.read_at(strings.sh_offset + offset, text.data(), most);
        return std::string(text.data(), ::strnlen(text.data(), got));
    }

    const regular_file& file_;
    Elf64_Ehdr header_{};
    std::vector<Elf64_Phdr> segments_;
    std::vector<Elf64_Shdr> sections_;
};

// What an entry costs beside its text: node, bucket, string header.
constexpr std::size_t entry_overhead_bytes = 80;
constexpr std::size_t most_modules = 4'096;

}  // namespace

std::string elf_symbols::function_at(const std::string& module_path, const std::string& build_id, std::uint64_t return_offset) {
    return functions_at(module_path, build_id, {return_offset}).front();
}

std::vector<std::string> elf_symbols::functions_at(const std::string& module_path, const std::string& build_id,
                                                   const std::vector<std::uint64_t>& return_offsets) {
    std::vector<std::string> names(return_offsets.size());
    const std::lock_guard lock(mutex_);
    const result<regular_file> file = regular_file::open(module_path);
    if (!file) { return names; }

    std::string key = module_path;
    key.append(1, '\0').append(build_id);  // what was found for one build says nothing about another
    if (modules_.size() >= most_modules || modules_[key].stamp != file->stamp()) { forget_locked(); }
    module_names& known = modules_[key];
    known.stamp = file->stamp();
    std::vector<std::size_t> unknown;
    for (std::size_t i = 0; i < return_offsets.size(); ++i) {
        const auto found = known.names.find(return_offsets[i]);
        if (found == known.names.end()) {
            unknown.push_back(i);
        } else {
            names[i] = found->second;
        }
    }
    if (unknown.empty()) { return names; }

    elf_reader elf(*file);
    if (!elf.open() || (!build_id.empty() && elf.build_id() != build_id)) { return names; }
    std::vector<wanted_address> wanted;
    for (const std::size_t slot : unknown) {
        if (return_offsets[slot] == 0) { continue; }
        // The call is what precedes the return address; the next byte may belong to another function.
        const std::optional<std::uint64_t> address = elf.address_of(return_offsets[slot] - 1);
        if (address.has_value()) { wanted.push_back({*address, slot}); }
    }
    std::sort(wanted.begin(), wanted.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
    elf.name(wanted, names);
    for (const std::size_t slot : unknown) { remember_locked(known, return_offsets[slot], names[slot]); }
    return names;
}

void elf_symbols::forget_locked() {
    modules_.clear();
    cached_bytes_ = 0;
}

void elf_symbols::remember_locked(module_names& known, std::uint64_t offset, const std::string& name) {
    const std::size_t cost = entry_overhead_bytes + name.size();
    if (cost > budget_bytes_) { return; }
    if (cached_bytes_ + cost > budget_bytes_) {
        for (auto& [path, module] : modules_) { module.names.clear(); }
        cached_bytes_ = 0;
    }
    if (known.names.emplace(offset, name).second) { cached_bytes_ += cost; }
}

std::size_t elf_symbols::cached_bytes() const {
    const std::lock_guard lock(mutex_);
    return cached_bytes_;
}

}  // namespace v1
}  // namespace memwatch
