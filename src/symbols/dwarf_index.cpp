// SPDX-License-Identifier: Apache-2.0
#include "symbols/dwarf_index.hpp"

#include <dwarf.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "platform/demangle.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

// Deeper than any compiler nests; hostile files end here instead of at the end of the stack.
constexpr int deepest_scope = 128;
constexpr int most_origins = 8;               // abstract origin -> specification -> ... of one entry
constexpr int most_ranges_back = 64;          // overlapping ranges looked at for one address
constexpr std::size_t most_ranges = 1 << 20;  // of one entry

template <class Visit>
void for_each_range(Dwarf_Die& die, Visit visit) {
    Dwarf_Addr base = 0, start = 0, end = 0;
    ptrdiff_t position = 0;
    for (std::size_t i = 0; i < most_ranges && (position = dwarf_ranges(&die, position, &base, &start, &end)) > 0; ++i) {
        if (start < end) { visit(start, end); }
    }
}

std::string normal_path(const char* path) {
    return path == nullptr ? std::string() : std::filesystem::path(path).lexically_normal().string();
}

struct source_place {
    std::string file;
    std::uint32_t line{};
};

source_place place_of_address(Dwarf_Die& unit, std::uint64_t address) {
    source_place place;
    Dwarf_Line* const entry = dwarf_getsrc_die(&unit, address);
    if (entry == nullptr) { return place; }
    place.file = normal_path(dwarf_linesrc(entry, nullptr, nullptr));
    int number = 0;
    if (dwarf_lineno(entry, &number) == 0 && number > 0) { place.line = static_cast<std::uint32_t>(number); }
    return place;
}

std::optional<Dwarf_Word> number_of(Dwarf_Die& die, unsigned name) {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dwarf_attr(&die, name, &attribute) == nullptr || dwarf_formudata(&attribute, &value) != 0) { return std::nullopt; }
    return value;
}

// Where an inlined function was called from.
source_place place_of_call(Dwarf_Die& unit, Dwarf_Die& inlined) {
    source_place place;
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    const std::optional<Dwarf_Word> file = number_of(inlined, DW_AT_call_file), line = number_of(inlined, DW_AT_call_line);
    if (file && dwarf_getsrcfiles(&unit, &files, &count) == 0 && *file < count) {
        place.file = normal_path(dwarf_filesrc(files, *file, nullptr, nullptr));
    }
    if (line && *line <= 0x7FFF'FFFF) { place.line = static_cast<std::uint32_t>(*line); }
    return place;
}

const char* linkage_name(Dwarf_Die& die) {
    Dwarf_Attribute attribute;
    for (const unsigned name : {unsigned{DW_AT_linkage_name}, unsigned{DW_AT_MIPS_linkage_name}}) {
        if (dwarf_attr_integrate(&die, name, &attribute) != nullptr) { return dwarf_formstring(&attribute); }
    }
    return nullptr;
}

// Of the definition, else of what it is an instance of.
std::uint32_t declaration_line(Dwarf_Die function) {
    int line = 0;
    return dwarf_decl_line(&function, &line) == 0 && line > 0 ? static_cast<std::uint32_t>(line) : 0;
}

std::string inner_scope(Dwarf_Die& die, const std::string& scope) {
    const char* const name = dwarf_diename(&die);
    if (name != nullptr) { return scope + name + "::"; }
    if (dwarf_tag(&die) == DW_TAG_namespace) { return scope + "(anonymous namespace)::"; }
    const bool is_class = dwarf_tag(&die) == DW_TAG_class_type || dwarf_tag(&die) == DW_TAG_structure_type;
    return is_class ? scope + "{lambda}::" : scope;  // a class that has functions and no name is a closure
}

// "int", "order const*": near enough to a demangler's words to tell overloads and lambdas apart.
std::string type_words(Dwarf_Die& die) {
    Dwarf_Attribute attribute;
    std::string suffix;
    Dwarf_Die at = die;
    for (int i = 0; i < most_origins; ++i) {
        if (dwarf_attr_integrate(&at, DW_AT_type, &attribute) == nullptr) { return "void" + suffix; }
        if (dwarf_formref_die(&attribute, &at) == nullptr) { break; }
        switch (dwarf_tag(&at)) {
            case DW_TAG_pointer_type:
                suffix.insert(0, "*");
                break;
            case DW_TAG_reference_type:
                suffix.insert(0, "&");
                break;
            case DW_TAG_rvalue_reference_type:
                suffix.insert(0, "&&");
                break;
            case DW_TAG_const_type:
                suffix.insert(0, " const");
                break;
            default:
                const char* const name = dwarf_diename(&at);
                return (name == nullptr ? "?" : name) + suffix;
        }
    }
    return "?" + suffix;
}

// "(int, order const&)" of a C++ function; "" in C, whose names stand alone.
std::string parameter_words(Dwarf_Die unit, Dwarf_Die& function) {
    const int language = dwarf_srclang(&unit);
    Dwarf_Die child;
    if (language == DW_LANG_C || language == DW_LANG_C89 || language == DW_LANG_C99 || language == DW_LANG_C11) { return {}; }
    std::string words;
    if (dwarf_child(&function, &child) == 0) {
        do {
            if (dwarf_tag(&child) != DW_TAG_formal_parameter || dwarf_hasattr(&child, DW_AT_artificial) != 0) { continue; }
            words += (words.empty() ? "" : ", ") + type_words(child);
        } while (dwarf_siblingof(&child, &child) == 0);
    }
    return "(" + words + ")";
}

bool has_addresses(Dwarf_Die& die) { return dwarf_hasattr(&die, DW_AT_low_pc) != 0 || dwarf_hasattr(&die, DW_AT_ranges) != 0; }

// The last range that starts at or before `address` and contains it.
template <class Range>
const Range* containing(const std::vector<Range>& ranges, std::uint64_t address) {
    auto at = std::upper_bound(ranges.begin(), ranges.end(), address,
                               [](std::uint64_t value, const Range& r) { return value < r.start; });
    for (int steps = 0; at != ranges.begin() && steps < most_ranges_back; ++steps) {
        --at;
        if (address < at->end) { return &*at; }
    }
    return nullptr;
}

}  // namespace

dwarf_index::dwarf_index(const elf_object& from) : dwarf_(dwarf_begin_elf(from.handle(), DWARF_C_READ, nullptr)) {
    if (dwarf_ == nullptr) { return; }
    Dwarf_CU* current = nullptr;
    Dwarf_CU* next = nullptr;
    Dwarf_Half version = 0;
    std::uint8_t kind = 0;
    Dwarf_Die die;
    while (dwarf_get_units(dwarf_.get(), current, &next, &version, &kind, &die, nullptr) == 0) {
        current = next;
        if (kind != DW_UT_compile && kind != DW_UT_partial) { continue; }
        const std::size_t index = units_.size();
        units_.push_back({die, false, {}, {}});
        for_each_range(die, [&](std::uint64_t start, std::uint64_t end) { ranges_.push_back({start, end, index}); });
    }
    std::sort(ranges_.begin(), ranges_.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
}

dwarf_index::unit* dwarf_index::unit_at(std::uint64_t address) {
    const unit_range* const range = containing(ranges_, address);
    if (range == nullptr) { return nullptr; }
    unit& found = units_[range->unit];
    if (!found.is_read) {
        found.is_read = true;
        read_functions(found, found.die, {}, 0);
        std::sort(found.functions.begin(), found.functions.end(),
                  [](const auto& a, const auto& b) { return a.start < b.start; });
    }
    return &found;
}

void dwarf_index::read_functions(unit& u, Dwarf_Die parent, const std::string& scope, int depth) {
    Dwarf_Die child;
    if (depth > deepest_scope || dwarf_child(&parent, &child) != 0) { return; }
    do {
        switch (dwarf_tag(&child)) {
            case DW_TAG_subprogram:
                add_function(u, child, scope);
                [[fallthrough]];  // methods of local classes
            case DW_TAG_namespace:
            case DW_TAG_class_type:
            case DW_TAG_structure_type:
            case DW_TAG_union_type:
                read_functions(u, child, inner_scope(child, scope), depth + 1);
                break;
            case DW_TAG_lexical_block:
                read_functions(u, child, scope, depth + 1);
                break;
            default:
                break;
        }
    } while (dwarf_siblingof(&child, &child) == 0);
}

void dwarf_index::add_function(unit& u, Dwarf_Die die, const std::string& scope) {
    for_each_range(die, [&](std::uint64_t start, std::uint64_t end) { u.functions.push_back({start, end, die}); });
    const char* const name = dwarf_hasattr(&die, DW_AT_name) != 0 ? dwarf_diename(&die) : nullptr;
    if (name != nullptr && dwarf_hasattr(&die, DW_AT_linkage_name) == 0) {
        u.names.emplace(dwarf_dieoffset(&die), scope + name + parameter_words(u.die, die));
    }
}

const dwarf_index::function* dwarf_index::function_at(const unit& u, std::uint64_t address) {
    return containing(u.functions, address);
}

// Appends the inlined calls around `address`, outermost first. Blocks without addresses of their own only group.
bool dwarf_index::find_inlined(Dwarf_Die parent, std::uint64_t address, std::vector<Dwarf_Die>& chain, int depth) {
    Dwarf_Die child;
    if (depth > deepest_scope || dwarf_child(&parent, &child) != 0) { return false; }
    do {
        const int tag = dwarf_tag(&child);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block) { continue; }
        const bool is_here = dwarf_haspc(&child, address) == 1;
        if (tag == DW_TAG_inlined_subroutine && is_here) {
            chain.push_back(child);
            find_inlined(child, address, chain, depth + 1);
            return true;
        }
        const bool may_group = tag == DW_TAG_lexical_block && (is_here || !has_addresses(child));
        if (may_group && find_inlined(child, address, chain, depth + 1)) { return true; }
    } while (dwarf_siblingof(&child, &child) == 0);
    return false;
}

std::string dwarf_index::name_of(const unit& u, Dwarf_Die die, const char* symbol) {
    if (const char* const linkage = linkage_name(die); linkage != nullptr) { return demangle(linkage); }
    if (symbol != nullptr) { return demangle(symbol); }
    Dwarf_Die at = die;
    for (int i = 0; i < most_origins; ++i) {
        if (const auto known = u.names.find(dwarf_dieoffset(&at)); known != u.names.end()) { return known->second; }
        Dwarf_Attribute origin;
        const bool has_origin = dwarf_attr(&at, DW_AT_abstract_origin, &origin) != nullptr ||
                                dwarf_attr(&at, DW_AT_specification, &origin) != nullptr;
        if (!has_origin || dwarf_formref_die(&origin, &at) == nullptr) { break; }
    }
    const char* const name = dwarf_diename(&die);
    return name == nullptr ? std::string() : name;
}

std::vector<source_line> dwarf_index::lines_at(std::uint64_t address, const char* symbol) {
    std::vector<source_line> lines;
    unit* const u = unit_at(address);
    if (u == nullptr) { return lines; }
    source_place place = place_of_address(u->die, address);
    const function* const f = function_at(*u, address);
    if (f != nullptr) {
        std::vector<Dwarf_Die> chain;
        find_inlined(f->die, address, chain, 0);
        for (auto inlined = chain.rbegin(); inlined != chain.rend(); ++inlined) {
            lines.push_back({name_of(*u, *inlined, nullptr), std::move(place.file), place.line, declaration_line(*inlined)});
            place = place_of_call(u->die, *inlined);
        }
    }
    std::string name = f != nullptr ? name_of(*u, f->die, symbol) : symbol != nullptr ? demangle(symbol) : std::string();
    if (!name.empty() || place.line != 0) {
        const std::uint32_t start = f != nullptr ? declaration_line(f->die) : 0;
        lines.push_back({std::move(name), std::move(place.file), place.line, start});
    }
    return lines;
}

}  // namespace v1
}  // namespace memwatch
