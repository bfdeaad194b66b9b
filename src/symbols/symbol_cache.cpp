// SPDX-License-Identifier: Apache-2.0
#include "symbols/symbol_cache.hpp"

#include <algorithm>
#include <cstdlib>

#include <memwatch/snapshot/codec.hpp>
#include <memwatch/version.hpp>

namespace memwatch {
inline namespace v1 {
namespace {

constexpr const char* label = "memwatch symbols 1";  // the number goes up when a look-up finds something else than before
constexpr std::uint64_t most_file_bytes = 128ULL << 20;
constexpr std::uint64_t most_folder_bytes = 512ULL << 20;

std::string file_name(const std::string& build_id) { return build_id + ".memtrace"; }

}  // namespace

std::optional<known_lines> decode_symbols(std::string_view bytes, const std::string& build_id) {
    result<decoded_snapshot> decoded = decode(bytes);
    if (!decoded || !decoded->damage.empty()) { return std::nullopt; }
    snapshot& s = decoded->value;
    const bool is_mine =
        s.info.label == label && s.info.version == version && s.modules.size() == 1 && s.modules.front().build_id == build_id;
    if (!is_mine) { return std::nullopt; }
    known_lines lines;
    lines.reserve(s.frames.size());
    for (frame& f : s.frames) { lines.insert_or_assign(f.offset, std::move(f.lines)); }
    return lines;
}

result<std::string> encode_symbols(const known_lines& lines, const std::string& build_id) {
    snapshot s;
    s.info.label = label;
    s.info.version = version;
    s.modules.push_back({{}, build_id, 0, 0, 0});
    s.frames.reserve(lines.size());
    for (const auto& [offset, where] : lines) { s.frames.push_back({0, offset, where}); }
    std::sort(s.frames.begin(), s.frames.end(), [](const frame& a, const frame& b) { return a.offset < b.offset; });
    return encode(s, dump_format::memtrace);
}

std::string symbol_cache::default_path() {
    const char* const cache = std::getenv("XDG_CACHE_HOME");
    if (cache != nullptr && *cache == '/') { return std::string(cache) + "/memwatch/symbols"; }
    const char* const home = std::getenv("HOME");
    return home != nullptr && *home == '/' ? std::string(home) + "/.cache/memwatch/symbols" : std::string();
}

result<symbol_cache> symbol_cache::open(const std::string& path) {
    result<private_folder> folder = private_folder::open(path);
    if (!folder) { return tl::unexpected<error>(folder.error()); }
    return symbol_cache(std::move(*folder));
}

known_lines symbol_cache::load(const std::string& build_id) const {
    const result<std::string> bytes = folder_.read(file_name(build_id), most_file_bytes);
    if (!bytes) { return {}; }
    return decode_symbols(*bytes, build_id).value_or(known_lines{});
}

void symbol_cache::store(const std::string& build_id, known_lines added) const {
    added.merge(load(build_id));  // what somebody else wrote meanwhile
    const result<std::string> bytes = encode_symbols(added, build_id);
    if (!bytes || bytes->size() > most_file_bytes) { return; }
    static_cast<void>(folder_.write(file_name(build_id), *bytes, most_folder_bytes));
}

}  // namespace v1
}  // namespace memwatch
