// SPDX-License-Identifier: Apache-2.0
#include "interpose/function_slots.hpp"

#include <dlfcn.h>
#include <catch2/catch.hpp>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace memwatch::interpose;

// A module made by hand: code, tables and slots in one piece of memory. Segment 0 may be read and written, 1 is code.
struct made_module {
    static constexpr std::size_t code_bytes = 256;

    alignas(16) unsigned char code[code_bytes]{};
    ElfW(Rela) calls[3]{};
    ElfW(Rela) words[4]{};
    ElfW(Sym) symbols[4]{};
    char names[32] = "\0malloc\0free\0calloc";
    ElfW(Dyn) dynamic[11]{};
    std::uintptr_t slots[8]{};
    ElfW(Phdr) headers[3]{};

    std::uintptr_t base() const { return reinterpret_cast<std::uintptr_t>(this); }
    std::uintptr_t offset_of(const void* at) const { return reinterpret_cast<std::uintptr_t>(at) - base(); }
    static ElfW(Rela) entry(std::uintptr_t where, std::size_t symbol, std::uint32_t kind, std::int64_t addend = 0) {
        return {where, ELF64_R_INFO(symbol, kind), addend};
    }

    made_module() {
        symbols[1].st_name = 1;
        symbols[2].st_name = 8;
        symbols[3].st_name = 13;
        calls[0] = entry(offset_of(&slots[0]), 1, R_X86_64_JUMP_SLOT);
        calls[1] = entry(offset_of(&slots[1]), 2, R_X86_64_JUMP_SLOT);
        calls[2] = entry(offset_of(&slots[2]), 0, R_X86_64_IRELATIVE);
        words[0] = entry(offset_of(&slots[3]), 2, R_X86_64_GLOB_DAT);
        words[1] = entry(offset_of(&slots[4]), 3, R_X86_64_64);
        words[2] = entry(offset_of(&slots[5]), 3, R_X86_64_64, 8);  // an address within it: no function
        words[3] = entry(offset_of(&slots[6]), 0, R_X86_64_RELATIVE);
        const auto at = [](ElfW(Sxword) tag, std::uintptr_t value) {
            ElfW(Dyn) out{};
            out.d_tag = tag;
            out.d_un.d_val = value;
            return out;
        };
        const auto address = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p); };
        dynamic[0] = at(DT_JMPREL, address(calls));
        dynamic[1] = at(DT_PLTRELSZ, sizeof calls);
        dynamic[2] = at(DT_PLTREL, DT_RELA);
        dynamic[3] = at(DT_RELA, address(words));
        dynamic[4] = at(DT_RELASZ, sizeof words);
        dynamic[5] = at(DT_RELAENT, sizeof(ElfW(Rela)));
        dynamic[6] = at(DT_SYMTAB, address(symbols));
        dynamic[7] = at(DT_SYMENT, sizeof(ElfW(Sym)));
        dynamic[8] = at(DT_STRTAB, address(names));
        dynamic[9] = at(DT_STRSZ, sizeof names);
        headers[0].p_type = PT_LOAD;
        headers[0].p_flags = PF_R | PF_W;
        headers[0].p_vaddr = code_bytes;
        headers[0].p_memsz = offset_of(headers) - code_bytes;
        headers[1].p_type = PT_LOAD;
        headers[1].p_flags = PF_R | PF_X;
        headers[1].p_memsz = code_bytes;
        headers[2].p_type = PT_DYNAMIC;
        headers[2].p_vaddr = offset_of(dynamic);
        headers[2].p_memsz = sizeof dynamic;
    }

    std::string read() const {
        std::string out;
        module_slots(base(), headers, 3).for_each([&](const function_slot& slot) {
            out += std::string(slot.name) + "@" + std::to_string(slot.where - slots) + (slot.may_be_unbound ? "? " : " ");
        });
        return out;
    }
};

}  // namespace

TEST_CASE("function_slots: calls, words and tables of functions are found by name, and nothing else") {
    const made_module made;
    CHECK(made.read() == "malloc@0? free@1? free@3 calloc@4 ");
    const module_slots slots(made.base(), made.headers, 3);
    CHECK(slots.holds_code_at(made.base() + 10));
    CHECK(!slots.holds_code_at(reinterpret_cast<std::uintptr_t>(&made.slots)));
    CHECK(!slots.holds_code_at(0));
}

TEST_CASE("function_slots: addresses to which nobody added the base are understood") {
    made_module made;
    for (ElfW(Dyn) & each : made.dynamic) {
        if (each.d_un.d_val >= made.base()) { each.d_un.d_val -= made.base(); }
    }
    CHECK(made.read() == "malloc@0? free@1? free@3 calloc@4 ");
}

TEST_CASE("function_slots: what lies outside of the module is left out") {
    const auto with = [](auto change) {
        made_module made;
        change(made);
        return made.read();
    };
    CHECK(with([](made_module& m) { m.calls[0].r_offset = 1U << 30U; }) == "free@1? free@3 calloc@4 ");
    CHECK(with([](made_module& m) { m.calls[0].r_offset = 8; }) == "free@1? free@3 calloc@4 ");  // into code
    CHECK(with([](made_module& m) { m.calls[0].r_offset += 4; }) == "free@1? free@3 calloc@4 ");
    CHECK(with([](made_module& m) { m.calls[0].r_info = ELF64_R_INFO(1U << 30U, R_X86_64_JUMP_SLOT); }) ==
          "free@1? free@3 calloc@4 ");
    CHECK(with([](made_module& m) { m.symbols[1].st_name = 1000; }) == "free@1? free@3 calloc@4 ");
    CHECK(with([](made_module& m) { m.dynamic[1].d_un.d_val = 1U << 30U; }) == "free@3 calloc@4 ");
    CHECK(with([](made_module& m) { m.dynamic[0].d_un.d_val += 1; }) == "free@3 calloc@4 ");
    CHECK(with([](made_module& m) { m.dynamic[2].d_un.d_val = DT_REL; }) == "free@3 calloc@4 ");
    CHECK(with([](made_module& m) { m.dynamic[5].d_un.d_val = 16; }) == "malloc@0? free@1? ");
    CHECK(with([](made_module& m) { m.names[sizeof m.names - 1] = 'x'; }).empty());
    CHECK(with([](made_module& m) { m.dynamic[9].d_un.d_val = 1U << 30U; }).empty());
    CHECK(with([](made_module& m) { m.dynamic[7].d_un.d_val = 16; }).empty());
    CHECK(with([](made_module& m) { m.headers[2].p_vaddr = 1U << 30U; }).empty());
    CHECK(with([](made_module& m) { m.headers[2].p_type = PT_NOTE; }).empty());
    CHECK(with([](made_module& m) { m.dynamic[0].d_tag = DT_NULL; }).empty());
}

TEST_CASE("function_slots: no bytes in the tables lead astray") {
    std::uint64_t random = 1;
    for (int i = 0; i < 20'000; ++i) {
        made_module made;
        for (int k = 0; k < 3; ++k) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            auto* const bytes = reinterpret_cast<unsigned char*>(&made) + made_module::code_bytes;
            bytes[(random >> 33U) % (made.offset_of(made.slots) - made_module::code_bytes)] ^=
                static_cast<unsigned char>(random >> 25U);
        }
        module_slots(made.base(), made.headers, 3).for_each([&](const function_slot& slot) {
            const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(slot.where) - made.base();
            if (at < made_module::code_bytes || at + 8 > made.offset_of(made.headers) ||
                std::strlen(slot.name) > sizeof made.names) {
                FAIL("astray after " << i);
            }
        });
    }
}

TEST_CASE("function_slots: libc calls its own malloc through a slot") {
    int found = 0;
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* into) {
            if (std::strstr(info->dlpi_name, "/libc.so.6") == nullptr) { return 0; }
            module_slots(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum).for_each([&](const function_slot& slot) {
                *static_cast<int*>(into) += std::strcmp(slot.name, "malloc") == 0 ? 1 : 0;
            });
            return 1;
        },
        &found);
    CHECK(found > 0);
}
