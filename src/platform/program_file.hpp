// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a file is that somebody wants to run: whether the loader will put a library into it, and what is in it already.
//
// In: a path (the file is not trusted: every offset is checked). Out: facts; what they mean is the caller's business.
// Threads: any. Errors: as regular_file.

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

struct program_file {
    enum class kind : std::uint8_t { elf, script, other };
    kind is{kind::other};
    std::string interpreter;           // of a script: the path behind "#!"
    bool is_set_id{};                  // set-user-ID or set-group-ID
    bool has_capabilities{};           // security.capability
    std::uint8_t elf_class{};          // ELFCLASS64 ...; of an ELF file, as the rest
    std::uint16_t machine{};           // EM_X86_64 ...
    bool has_loader{};                 // PT_INTERP: dynamically linked
    bool is_position_independent{};    // ET_DYN
    std::vector<std::string> defines;  // of the names that were asked for, those in its dynamic symbol table with a definition
    std::vector<std::string> imports;  // and those without one

    // `names`: what to look for in the dynamic symbol table.
    [[nodiscard]] static result<program_file> inspect(const std::string& path, const std::vector<std::string>& names);
};

}  // namespace v1
}  // namespace memwatch
