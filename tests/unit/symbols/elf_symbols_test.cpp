// SPDX-License-Identifier: Apache-2.0
#include "platform/elf_symbols.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>

#include <catch2/catch.hpp>

#include "platform/demangle.hpp"
#include "symbols_fixture.hpp"

using namespace memwatch;

TEST_CASE("elf_symbols: the function of a return offset, from .symtab and from .dynsym alone") {
    elf_symbols symbols;
    for (const char* kind : {"pie", "nopie", "shared"}) {
        CAPTURE(kind);
        const fixture::program p = fixture::load(kind);
        CHECK(symbols.function_at(p.path, p.build_id, p.outer_return) == "orders::outer_call(int)");
        CHECK(symbols.function_at(p.path, "", p.outer_return) == "orders::outer_call(int)");
        CHECK(symbols.function_at(p.path, "00ff", p.outer_return).empty());
        CHECK(symbols.function_at(p.path, p.build_id, 0).empty());
        CHECK(symbols.function_at(p.path, p.build_id, ~std::uint64_t{0}).empty());
    }
    const fixture::program stripped = fixture::load("shared.stripped");
    CHECK(symbols.function_at(stripped.path, stripped.build_id, stripped.outer_return) == "orders::outer_call(int)");
    const fixture::program bare = fixture::load("pie.stripped");
    CHECK(symbols.function_at(bare.path, bare.build_id, bare.outer_return).empty());
}

TEST_CASE("elf_symbols: many offsets in one pass, in the caller's order, cached") {
    elf_symbols symbols;
    const fixture::program p = fixture::load("pie");
    const auto names = symbols.functions_at(p.path, p.build_id, {p.outer_return, 1, p.outer_return, p.entry_return});
    CHECK(names == std::vector<std::string>{"orders::outer_call(int)", "", "orders::outer_call(int)", "run_victim"});
    const std::size_t cached = symbols.cached_bytes();
    CHECK(cached > 0);
    CHECK(symbols.functions_at(p.path, p.build_id, {p.outer_return, 1, p.entry_return}).front() == "orders::outer_call(int)");
    CHECK(symbols.cached_bytes() == cached);
}

TEST_CASE("elf_symbols: the cache stays in its budget and still answers") {
    elf_symbols symbols(400);
    const fixture::program p = fixture::load("pie");
    for (std::uint64_t i = 0; i < 200; ++i) {
        CHECK(symbols.function_at(p.path, p.build_id, p.outer_return) == "orders::outer_call(int)");
        (void)symbols.function_at(p.path, p.build_id, 0x100000 + i);
        CHECK(symbols.cached_bytes() <= 400);
    }
}

TEST_CASE("elf_symbols: what is not a regular ELF file names nothing") {
    elf_symbols symbols;
    const std::string fifo = fixture::scratch("fifo");
    std::remove(fifo.c_str());
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    const std::string text = fixture::scratch("text");
    std::ofstream(text) << "\x7f"
                           "ELF but no more";
    for (const std::string& path :
         {std::string("/nowhere"), std::string("/"), std::string("/dev/zero"), fifo, text, std::string()}) {
        CAPTURE(path);
        CHECK(symbols.function_at(path, "", 0x1234).empty());
    }
    std::remove(fifo.c_str());
}

TEST_CASE("elf_symbols: damaged files neither crash nor hang") {
    const fixture::program p = fixture::load("pie");
    std::stringstream whole;
    whole << std::ifstream(p.path, std::ios::binary).rdbuf();
    const std::string bytes = whole.str();
    const auto seed = static_cast<unsigned>(Catch::rngSeed());
    std::mt19937 random(seed);
    CAPTURE(seed);
    const std::string path = fixture::scratch("damaged");
    for (int round = 0; round < 300; ++round) {
        std::string damaged = bytes;
        if (round % 3 == 0) { damaged.resize(random() % bytes.size()); }
        for (int flips = 0; flips < 1 + round % 40 && !damaged.empty(); ++flips) {
            // Headers and section tables are where it hurts: half of the damage goes to the first 1 KiB and the last 4 KiB.
            const std::size_t end = damaged.size();
            const std::size_t at = flips % 2 == 0      ? random() % end
                                   : random() % 2 == 0 ? random() % std::min<std::size_t>(end, 1024)
                                                       : end - 1 - random() % std::min<std::size_t>(end, 4096);
            damaged[at] = static_cast<char>(random());
        }
        std::ofstream(path, std::ios::binary | std::ios::trunc) << damaged;
        elf_symbols symbols;
        (void)symbols.functions_at(path, "", {p.outer_return, p.entry_return, 0x40, bytes.size()});
    }
    std::remove(path.c_str());
}

TEST_CASE("demangle: C++ symbols only, and nothing that explodes") {
    CHECK(demangle("_ZN6orders10outer_callEi") == "orders::outer_call(int)");
    CHECK(demangle("main") == "main");
    CHECK(demangle("i") == "i");
    CHECK(demangle("_Z") == "_Z");
    CHECK(demangle("") == "");
    const std::string endless = "_Z" + std::string(100'000, 'N');
    CHECK(demangle(endless) == endless);
}
