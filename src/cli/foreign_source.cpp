// SPDX-License-Identifier: Apache-2.0
#include "cli/foreign_source.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "platform/regular_file.hpp"
#include "symbols/elf_object.hpp"

namespace memwatch {
inline namespace v1 {
namespace {

constexpr std::size_t head_bytes = 64U << 10U;
constexpr std::uint64_t largest_file = 4ULL << 30U;  // as read_dump()
constexpr const char* replaced = " (deleted)";

enum class local_file { taken, newer, none };

// The build id of what stands at the module's path now, if it stood there when the profile was written.
local_file take_local_build_id(module& row, std::filesystem::file_time_type written) {
    if (!row.build_id.empty() || row.path.substr(0, 1) != "/" || row.path.ends_with(replaced)) { return local_file::none; }
    const result<elf_object> object = elf_object::open(row.path);
    std::error_code failed;
    const auto changed = std::filesystem::last_write_time(row.path, failed);
    if (!object || failed) { return local_file::none; }
    if (changed > written) {
        row.path += replaced;
        return local_file::newer;
    }
    row.build_id = object->build_id();
    return local_file::taken;
}

}  // namespace

result<std::optional<exchange::imported_profile>> read_foreign_file(const std::string& path) {
    const result<regular_file> file = regular_file::open(path);
    if (!file) { return std::nullopt; }
    std::string bytes(std::min<std::uint64_t>(file->size_bytes(), head_bytes), '\0');
    bytes.resize(file->read_at(0, bytes.data(), bytes.size()));
    if (exchange::recognize(bytes) == exchange::foreign_format::none) { return std::nullopt; }
    if (file->size_bytes() > largest_file) { return fail(error_code::limit, "more than 4 GiB", path); }
    bytes.resize(file->size_bytes());
    bytes.resize(file->read_at(0, bytes.data(), bytes.size()));
    return name_source(exchange::read_foreign_profile(bytes), path);
}

result<std::optional<exchange::imported_profile>> name_source(result<exchange::imported_profile> read,
                                                              const std::string& source) {
    if (read) { return std::optional(std::move(*read)); }
    error e = read.error();
    e.where = source + (e.where.empty() ? "" : ", " + e.where);
    return tl::unexpected<error>(std::move(e));
}

void take_local_build_ids(exchange::imported_profile& profile, const std::string& path) {
    std::error_code failed;
    const auto written = std::filesystem::last_write_time(path, failed);
    if (failed) { return; }
    std::size_t taken = 0;
    std::string newer;
    for (module& row : profile.value.modules) {
        const std::string name = row.path;
        const local_file found = take_local_build_id(row, written);
        if (found == local_file::taken) { ++taken; }
        if (found == local_file::newer) { newer += (newer.empty() ? "" : ", ") + name; }
    }
    if (taken > 0) { profile.notes.emplace_back("it names no builds: names are those of the files on this machine"); }
    if (!newer.empty()) { profile.notes.push_back("changed since it was written, so not looked into: " + newer); }
}

bool has_nameless_frame(const snapshot& s) {
    return std::any_of(s.frames.begin(), s.frames.end(),
                       [](const frame& f) { return f.module != no_module && f.offset != 0 && f.lines.empty(); });
}

}  // namespace v1
}  // namespace memwatch
