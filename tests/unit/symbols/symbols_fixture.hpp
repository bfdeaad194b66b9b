// SPDX-License-Identifier: Apache-2.0
#pragma once
// The victims of victim.cpp, run once to learn where their calls return to.

#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include <catch2/catch.hpp>
#include <memwatch/model/snapshot.hpp>

namespace fixture {

struct program {
    std::string path;
    std::string build_id;
    std::uint64_t start{}, limit{}, file_offset{};
    std::uint64_t outer_return{}, entry_return{};  // file offsets behind the calls
    std::uint32_t inner_line{}, middle_line{}, outer_line{}, entry_line{};
    std::uint32_t inner_start{}, middle_start{}, outer_start{}, entry_start{};  // where the functions are declared
};

inline std::string directory() { return MEMWATCH_VICTIM_DIR; }
inline std::string scratch(const std::string& name) { return directory() + "/scratch-" + name; }

// kind: pie, nopie, plain (no debug information), shared, and pie.stripped, shared.stripped.
inline program load(const std::string& kind) {
    program p;
    const bool is_shared = kind.compare(0, 6, "shared") == 0;
    p.path = directory() + (is_shared ? "/libvictim-" + kind.substr(0, 6) + ".so" + kind.substr(6) : "/victim-" + kind);
    const std::string command = is_shared ? directory() + "/victim-loader " + p.path : p.path;
    const std::unique_ptr<FILE, int (*)(FILE*)> output(::popen(command.c_str(), "r"), ::pclose);
    REQUIRE(output != nullptr);
    std::map<std::string, std::string> values;
    char line[512];
    while (std::fgets(line, sizeof line, output.get()) != nullptr) {
        const std::string text(line);
        const std::size_t equals = text.find('=');
        if (equals != std::string::npos) { values[text.substr(0, equals)] = text.substr(equals + 1, text.size() - equals - 2); }
    }
    CAPTURE(command);
    REQUIRE(values.count("outer_return") == 1);
    const auto number = [&](const char* key) { return std::stoull(values.at(key)); };
    p.build_id = values["build_id"];
    p.start = number("start");
    p.limit = number("limit");
    p.file_offset = number("file_offset");
    p.outer_return = number("outer_return");
    p.entry_return = number("entry_return");
    p.inner_line = static_cast<std::uint32_t>(number("inner_line"));
    p.middle_line = static_cast<std::uint32_t>(number("middle_line"));
    p.outer_line = static_cast<std::uint32_t>(number("outer_line"));
    p.entry_line = static_cast<std::uint32_t>(number("entry_line"));
    p.inner_start = static_cast<std::uint32_t>(number("inner_start"));
    p.middle_start = static_cast<std::uint32_t>(number("middle_start"));
    p.outer_start = static_cast<std::uint32_t>(number("outer_start"));
    p.entry_start = static_cast<std::uint32_t>(number("entry_start"));
    return p;
}

}  // namespace fixture
