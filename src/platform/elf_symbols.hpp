// SPDX-License-Identifier: Apache-2.0
#pragma once
// Function names from ELF symbol tables, in process, for the few frames that are being shown. No DWARF: lines and inlined
// frames are the CLI's business (symbols/), because reading them costs hundreds of megabytes in large programs.
//
// In: a module's path, its build id, return offsets as frames carry them. Out: demangled names.
// Threads: any; one mutex, held while reading files (so never call it from a hook).
// Memory: names are cached up to `budget_bytes`, then forgotten together; a lookup itself needs 64 KiB whatever the file's
// size, because the symbol table is streamed past the wanted addresses instead of being indexed. The file is not trusted: every
// offset is checked, a broken file names nothing.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace memwatch {
inline namespace v1 {

class elf_symbols {
public:
    explicit elf_symbols(std::size_t budget_bytes = std::size_t{1} << 20) : budget_bytes_(budget_bytes) {}

    // The function that contains the call returning to file offset `return_offset`; "" when the file cannot be read, has
    // another build id (an empty `build_id` is not compared) or no symbol there. 64-bit little-endian ELF only.
    [[nodiscard]] std::string function_at(const std::string& module_path, const std::string& build_id,
                                          std::uint64_t return_offset);

    // The same for many offsets of one module, in one pass over its symbols: names[i] belongs to return_offsets[i].
    [[nodiscard]] std::vector<std::string> functions_at(const std::string& module_path, const std::string& build_id,
                                                        const std::vector<std::uint64_t>& return_offsets);

    // Bytes the cache holds now, as self bytes are counted.
    [[nodiscard]] std::size_t cached_bytes() const;

private:
    struct module_names {
        std::uint64_t stamp{};                                 // of the file the names came from
        std::unordered_map<std::uint64_t, std::string> names;  // by return offset; "" = looked up, not there
    };

    void forget_locked();
    void remember_locked(module_names& known, std::uint64_t offset, const std::string& name);

    mutable std::mutex mutex_;
    std::unordered_map<std::string, module_names> modules_;  // by path + NUL + build id; guarded by mutex_
    std::size_t budget_bytes_;
    std::size_t cached_bytes_{};  // estimate; guarded by mutex_
};

}  // namespace v1
}  // namespace memwatch
