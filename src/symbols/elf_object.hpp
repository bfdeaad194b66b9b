// SPDX-License-Identifier: Apache-2.0
#pragma once
// One ELF file on disk, opened for symbolizing: who it is (build id), how file offsets become its own addresses, and its
// function symbols.
//
// In: a path. Out: addresses and symbol names. Threads: one. Errors: result; libelf's own words where it has some.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <libelf.h>

#include <memwatch/base/result.hpp>

#include "platform/regular_file.hpp"

namespace memwatch {
inline namespace v1 {

class elf_object {
public:
    // Regular ELF files only. Errors: not_found, io, invalid_argument, unreadable.
    [[nodiscard]] static result<elf_object> open(const std::string& path);

    // Lower-case hex; "" = none.
    [[nodiscard]] std::string build_id() const;

    // The address that `file_offset` is loaded at, by the program headers.
    [[nodiscard]] std::optional<std::uint64_t> address_of(std::uint64_t file_offset) const;

    // First address of the first executable segment, rounded down to a page: what a module's `file_offset` was mapped to. For
    // separate debug files, whose program headers no longer tell file offsets of the program.
    [[nodiscard]] std::optional<std::uint64_t> executable_start() const;

    // Whether there is a section of this type (SHT_SYMTAB, SHT_DYNSYM).
    [[nodiscard]] bool has_section(std::uint32_t type) const;

    [[nodiscard]] Elf* handle() const noexcept { return elf_.get(); }

private:
    struct close_elf {
        void operator()(Elf* elf) const noexcept { elf_end(elf); }
    };

    elf_object(regular_file file, Elf* elf) : file_(std::move(file)), elf_(elf) {}

    regular_file file_;  // before elf_: libelf reads from its descriptor
    std::unique_ptr<Elf, close_elf> elf_;
};

// The function symbols of one table, sorted by address.
class symbol_table {
public:
    // Reads the section of type `section_type`; empty when there is none.
    symbol_table(const elf_object& from, std::uint32_t section_type);

    // As the linker spells it; null = no function there. Valid as long as the elf_object.
    [[nodiscard]] const char* function_at(std::uint64_t address) const noexcept;

private:
    struct symbol {
        std::uint64_t start;
        std::uint64_t end;  // one past; symbols of size 0 reach to the next one
        const char* name;
        unsigned rank;  // of several at one address: global 3, weak 2, local 1
    };

    std::vector<symbol> symbols_;
};

}  // namespace v1
}  // namespace memwatch
