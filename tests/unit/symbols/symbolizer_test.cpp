// SPDX-License-Identifier: Apache-2.0
#include "symbols/symbolizer.hpp"

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <catch2/catch.hpp>
#include <memwatch/model/site_name.hpp>

#include "symbols_fixture.hpp"

using namespace memwatch;

namespace {

snapshot snapshot_of(const fixture::program& p) {
    snapshot s;
    s.modules = {{p.path, p.build_id, p.start, p.limit, p.file_offset}};
    s.frames = {{0, p.outer_return, {}}, {0, p.entry_return, {}}};
    return s;
}

symbolize_options only(const std::string& dir) { return {{dir}, false}; }

void check_lines(const snapshot& s, const fixture::program& p) {
    REQUIRE(s.frames[0].lines.size() == 3);
    const auto& lines = s.frames[0].lines;
    CHECK(bare_function_name(lines[0].function) == "orders::(anonymous namespace)::inner_inline");
    CHECK(lines[1].function == "orders::middle_inline(int)");
    CHECK(lines[2].function == "orders::outer_call(int)");
    CHECK(lines[0].line == p.inner_line);
    CHECK(lines[1].line == p.middle_line);
    CHECK(lines[2].line == p.outer_line);
    CHECK(lines[0].function_line == p.inner_start);  // inlined
    CHECK(lines[1].function_line == p.middle_start);
    CHECK(lines[2].function_line == p.outer_start);  // concrete
    for (const source_line& line : lines) { CHECK(std::filesystem::path(line.file).filename() == "victim.cpp"); }
    REQUIRE(s.frames[1].lines.size() == 1);
    CHECK(s.frames[1].lines[0].function == "run_victim");
    CHECK(s.frames[1].lines[0].line == p.entry_line);
    CHECK(s.frames[1].lines[0].function_line == p.entry_start);
}

// `dir`/.build-id/ab/cdef.debug -> `file`, as distributions lay debug files out.
std::string build_id_tree(const std::string& file, const std::string& build_id) {
    const std::string dir = fixture::scratch("debug-" + build_id.substr(0, 8));
    std::filesystem::create_directories(dir + "/.build-id/" + build_id.substr(0, 2));
    std::filesystem::copy_file(file, dir + "/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) + ".debug",
                               std::filesystem::copy_options::overwrite_existing);
    return dir;
}

}  // namespace

TEST_CASE("symbolizer: lines with inlined calls, innermost first, in PIE, fixed-address programs and shared objects") {
    for (const char* kind : {"pie", "nopie", "shared"}) {
        CAPTURE(kind);
        const fixture::program p = fixture::load(kind);
        snapshot s = snapshot_of(p);
        const symbolize_summary summary = symbolize(s, only("/nowhere"));
        CHECK(summary.resolved == 2);
        CHECK(summary.unresolved == 0);
        CHECK(summary.warnings.empty());
        check_lines(s, p);
    }
}

TEST_CASE("symbolizer: a stripped program is resolved from its separate debug file") {
    for (const char* kind : {"pie", "shared"}) {
        CAPTURE(kind);
        const fixture::program p = fixture::load(std::string(kind) + ".stripped");
        const std::string debug = fixture::load(kind).path + ".debug";

        snapshot by_id = snapshot_of(p);
        symbolize(by_id, only(build_id_tree(debug, p.build_id)));
        check_lines(by_id, p);

        // The program itself is gone: the debug file alone has to do.
        snapshot alone = snapshot_of(p);
        alone.modules[0].path = "/nowhere/" + std::filesystem::path(p.path).filename().string() + " (deleted)";
        const symbolize_summary summary = symbolize(alone, only(build_id_tree(debug, p.build_id)));
        CHECK(summary.warnings.empty());
        check_lines(alone, p);

        const std::string flat = fixture::scratch(std::string("flat-") + kind);
        std::filesystem::create_directories(flat);
        std::filesystem::copy_file(debug, flat + "/" + std::filesystem::path(p.path).filename().string() + ".debug",
                                   std::filesystem::copy_options::overwrite_existing);
        snapshot by_name = snapshot_of(p);
        symbolize(by_name, only(flat));
        check_lines(by_name, p);
    }
}

TEST_CASE("symbolizer: without debug information the symbol table names the function") {
    const fixture::program p = fixture::load("plain");
    snapshot s = snapshot_of(p);
    CHECK(symbolize(s, only("/nowhere")).resolved == 2);
    REQUIRE(s.frames[0].lines.size() == 1);
    CHECK(s.frames[0].lines[0].function == "orders::outer_call(int)");
    CHECK(s.frames[0].lines[0].line == 0);
    CHECK(s.frames[1].lines[0].function == "run_victim");

    const fixture::program stripped = fixture::load("shared.stripped");
    snapshot t = snapshot_of(stripped);
    symbolize(t, only("/nowhere"));
    REQUIRE(t.frames[0].lines.size() == 1);
    CHECK(t.frames[0].lines[0].function == "orders::outer_call(int)");
}

TEST_CASE("symbolizer: another build is refused and named") {
    const fixture::program p = fixture::load("pie");
    for (const std::string& wrong :
         {std::string("00112233445566778899"), std::string(), std::string("../../etc"), std::string("AB")}) {
        CAPTURE(wrong);
        snapshot s = snapshot_of(p);
        s.modules[0].build_id = wrong;
        const symbolize_summary summary = symbolize(s, only(fixture::directory()));
        CHECK(summary.resolved == 0);
        CHECK(summary.unresolved == 2);
        REQUIRE(summary.warnings.size() == 1);
        CHECK(summary.warnings[0].find(p.path) == 0);
        CHECK(summary.warnings[0].find("another build") != std::string::npos);
        CHECK(summary.warnings[0].find(p.build_id) != std::string::npos);
    }
}

TEST_CASE("symbolizer: a debug file of another build is passed over") {
    const fixture::program p = fixture::load("pie.stripped");
    const std::string dir = build_id_tree(fixture::load("shared").path + ".debug", p.build_id);
    snapshot s = snapshot_of(p);
    CHECK(symbolize(s, only(dir)).resolved == 0);
}

TEST_CASE("symbolizer: files that are missing, special or no ELF are one warning each, and names that came along stay") {
    const std::string text = fixture::scratch("no-elf");
    std::ofstream(text) << "#!/bin/sh\n";
    snapshot s;
    s.modules = {{"/nowhere/program", "aabbccdd", 0, 0, 0},
                 {"/dev/zero", "aabbccdd", 0, 0, 0},
                 {text, "aabbccdd", 0, 0, 0},
                 {"[vdso]", "", 0, 0, 0},
                 {"/nowhere/unused", "aabbccdd", 0, 0, 0}};
    s.frames = {{0, 10, {{"kept", "", 0}}}, {0, 20, {}}, {1, 10, {}}, {2, 10, {}}, {3, 10, {}},
                {no_module, 10, {}},        {0, 0, {}}};
    const symbolize_summary summary = symbolize(s, only("/nowhere"));
    CHECK(summary.resolved == 1);
    CHECK(summary.unresolved == 4);
    REQUIRE(summary.warnings.size() == 3);
    CHECK(summary.warnings[0] == "/nowhere/program (build id aabbccdd): No such file or directory");
    CHECK(summary.warnings[1] == "/dev/zero (build id aabbccdd): not a regular file");
    CHECK(summary.warnings[2].find("not an ELF file") != std::string::npos);
    CHECK(s.frames[0].lines[0].function == "kept");
}

TEST_CASE("symbolizer: ten thousand frames take less than two seconds") {
    // The test program itself: Catch2's header makes its units large. Its executable mapping says where code is in the file.
    const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
    std::uint64_t code_bytes = 0, code_offset = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long long start = 0, end = 0, offset = 0;
        char access[8] = {};
        if (!line.ends_with(self) || std::sscanf(line.c_str(), "%llx-%llx %7s %llx", &start, &end, access, &offset) != 4) {
            continue;
        }
        if (access[2] == 'x') { code_bytes = end - start, code_offset = offset; }
    }
    REQUIRE(code_bytes != 0);
    snapshot s;
    s.modules = {{self, {}, 0, 0, 0}};
    for (std::uint64_t i = 0; i < 10'000; ++i) { s.frames.push_back({0, code_offset + code_bytes * i / 10'000 + 1, {}}); }
    snapshot probe = s;
    const symbolize_summary refused = symbolize(probe, only("/nowhere"));
    if (!refused.warnings.empty()) {
        const std::string& why = refused.warnings[0];
        const std::size_t at = why.rfind("build id ");
        if (at != std::string::npos) { s.modules[0].build_id = why.substr(at + 9, why.size() - at - 10); }
    }
#ifdef MEMWATCH_SANITIZED_TESTS
    const double limit_seconds = 20;
#else
    const double limit_seconds = 2;
#endif
    const std::clock_t start = std::clock();  // the processor's time: other programs must not decide
    const symbolize_summary summary = symbolize(s, only("/nowhere"));
    const double taken_seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    INFO(summary.resolved << " resolved in " << taken_seconds << " s");
    CHECK(summary.resolved > 9'000);
    CHECK(taken_seconds < limit_seconds);
}

TEST_CASE("symbolizer: damaged programs and debug information neither crash nor hang") {
    const fixture::program p = fixture::load("pie");
    std::stringstream whole;
    whole << std::ifstream(p.path, std::ios::binary).rdbuf();
    const std::string bytes = whole.str();
    const auto seed = static_cast<unsigned>(Catch::rngSeed());
    std::mt19937 random(seed);
    CAPTURE(seed);
    const std::string path = fixture::scratch("damaged-debug");
    for (int round = 0; round < 200; ++round) {
        std::string damaged = bytes;
        if (round % 4 == 0) { damaged.resize(random() % bytes.size()); }
        for (int flips = 0; flips < 1 + round % 60 && !damaged.empty(); ++flips) {
            damaged[random() % damaged.size()] = static_cast<char>(random());
        }
        std::ofstream(path, std::ios::binary | std::ios::trunc) << damaged;
        snapshot s = snapshot_of(p);
        s.modules[0].path = path;
        for (std::uint64_t offset = p.outer_return - 64; offset < p.outer_return + 64; offset += 8) {
            s.frames.push_back({0, offset, {}});
        }
        symbolize(s, only("/nowhere"));
    }
    std::filesystem::remove(path);
}
