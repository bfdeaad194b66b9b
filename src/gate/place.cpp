// SPDX-License-Identifier: Apache-2.0
#include "gate/place.hpp"

#include <filesystem>
#include <string_view>

#include <fmt/format.h>

#include <memwatch/model/site_name.hpp>

namespace memwatch::inline v1::gate {
namespace {

// FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/): stable across runs and machines. The separator keeps "ab" + "c"
// from being "a" + "bc".
void add(std::uint64_t& hash, std::string_view text) {
    for (const char c : text) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL; }
    hash = (hash ^ 0xFF) * 0x100000001B3ULL;
}

std::optional<source_place> place_of_line(const source_line& line, const std::string& root) {
    if (line.file.empty() || is_plumbing(line.function)) { return std::nullopt; }
    auto file = path_in_repository(line.file, root);
    if (!file) { return std::nullopt; }
    return source_place{std::move(*file), line.line, bare_function_name(line.function)};
}

}  // namespace

std::optional<std::string> path_in_repository(const std::string& file, const std::string& root) {
    namespace fs = std::filesystem;
    if (file.empty() || file.find('\0') != std::string::npos) { return std::nullopt; }
    fs::path path = fs::path(file).lexically_normal();
    if (path.is_absolute()) {
        path = path.lexically_relative(fs::path(root).lexically_normal());
        if (path.empty() || *path.begin() == "..") { return std::nullopt; }
    }
    fs::path inside;
    for (const fs::path& part : path) {
        if (part != ".." && part != "." && !part.empty()) { inside /= part; }
    }
    if (inside.empty()) { return std::nullopt; }
    return inside.generic_string();
}

std::optional<source_place> place_of(const std::vector<frame>& stack, const std::string& root) {
    for (const frame& f : stack) {
        for (const source_line& line : f.lines) {
            if (auto found = place_of_line(line, root)) { return found; }
        }
    }
    return std::nullopt;
}

std::string site_fingerprint(const delta_row& row, const std::vector<module>& modules) {
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    add(hash, row.type);
    add(hash, row.tag);
    for (const frame& f : row.stack) {
        bool is_named = false;
        for (const source_line& line : f.lines) {
            if (line.function.empty()) { continue; }
            add(hash, bare_function_name(line.function));
            is_named = true;
        }
        if (!is_named && f.module < modules.size()) {
            add(hash, std::filesystem::path(modules[f.module].path).filename().string());
            add(hash, std::to_string(f.offset));
        }
    }
    return fmt::format("{:016x}", hash);
}

}  // namespace memwatch::inline v1::gate
