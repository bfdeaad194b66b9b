// SPDX-License-Identifier: Apache-2.0
#pragma once
// Address -> source lines with inlined calls, from one object's DWARF.
//
// Two tables make ten thousand look-ups cheap: the address ranges of all units, read once from their top entries (clang writes
// no .debug_aranges), and the functions of a unit, read when the first address falls into it.
//
//   unit "cache.cpp"  [0x1a00, 0x2200)
//     function orders::handle      [0x1a00, 0x1b80)
//       inlined  cache::insert     [0x1a40, 0x1a60)  called from routes.cpp:118
//
//   0x1a44 -> { cache::insert cache.cpp:42 }, { orders::handle routes.cpp:118 }
//
// In: an ELF object with .debug_info, hostile or not (libdw checks; walks are bounded in depth). Threads: one.

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <elfutils/libdw.h>

#include <memwatch/model/snapshot.hpp>

#include "symbols/elf_object.hpp"

namespace memwatch {
inline namespace v1 {

class dwarf_index {
public:
    // `from` must outlive the index.
    explicit dwarf_index(const elf_object& from);

    // False when the object has no debug information.
    [[nodiscard]] bool has_units() const noexcept { return !units_.empty(); }

    // Innermost inlined call first; empty when no unit covers `address`. `symbol` (may be null) names a function that DWARF
    // gives no linkage name.
    [[nodiscard]] std::vector<source_line> lines_at(std::uint64_t address, const char* symbol);

private:
    struct end_dwarf {
        void operator()(Dwarf* dwarf) const noexcept { dwarf_end(dwarf); }
    };
    struct function {
        std::uint64_t start;
        std::uint64_t end;
        Dwarf_Die die;
    };
    struct unit {
        Dwarf_Die die;
        bool is_read{};                                    // functions and names are filled in
        std::vector<function> functions;                   // by start
        std::unordered_map<Dwarf_Off, std::string> names;  // qualified, for functions without a linkage name, by DIE offset
    };
    struct unit_range {
        std::uint64_t start;
        std::uint64_t end;
        std::size_t unit;
    };

    [[nodiscard]] unit* unit_at(std::uint64_t address);
    static void read_functions(unit& u, Dwarf_Die parent, const std::string& scope, int depth);
    static void add_function(unit& u, Dwarf_Die die, const std::string& scope);
    [[nodiscard]] static const function* function_at(const unit& u, std::uint64_t address);
    static bool find_inlined(Dwarf_Die parent, std::uint64_t address, std::vector<Dwarf_Die>& chain, int depth);
    [[nodiscard]] static std::string name_of(const unit& u, Dwarf_Die die, const char* symbol);

    std::unique_ptr<Dwarf, end_dwarf> dwarf_;
    std::vector<unit> units_;
    std::vector<unit_range> ranges_;  // by start
};

}  // namespace v1
}  // namespace memwatch
