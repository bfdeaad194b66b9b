// SPDX-License-Identifier: Apache-2.0
#pragma once
// What was looked up once: the lines of frames, by build id, so that a program of hundreds of megabytes is not searched again
// for the next dump of the same build.
//
// One file a build, `<build id>.memtrace`: an ordinary dump without sites, so that it is versioned, checksummed and bounded
// like any other, and fuzzed with them. Its frames are return addresses, as dumps have them; a frame without lines is one where
// the debug information has nothing. Only what came from debug information is kept: a symbol table is read in no time, and
// names from one alone would hide a debug file that is found later.
//
// Folder: $XDG_CACHE_HOME/memwatch/symbols, else ~/.cache/..., ours alone (private_folder.hpp), at most 512 MiB, the builds
// that were asked for longest ago go first. Anything odd about a file - damage, another version, another build - and it counts
// as not there. Two commands that write the same build at once: the last one wins, and the other's frames are looked up again
// some day.
//
// Threads: one.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <memwatch/model/snapshot.hpp>

#include "symbols/private_folder.hpp"

namespace memwatch {
inline namespace v1 {

using known_lines = std::unordered_map<std::uint64_t, std::vector<source_line>>;  // by file offset behind the call

// The bytes of a cache file. Nothing when they are not a whole one for this build, written by this version.
[[nodiscard]] std::optional<known_lines> decode_symbols(std::string_view bytes, const std::string& build_id);
// Errors: limit.
[[nodiscard]] result<std::string> encode_symbols(const known_lines& lines, const std::string& build_id);

class symbol_cache {
public:
    // "" when the environment names no home.
    [[nodiscard]] static std::string default_path();

    // Errors: io.
    [[nodiscard]] static result<symbol_cache> open(const std::string& path);

    // Empty when nothing is known. `build_id` must be hex digits.
    [[nodiscard]] known_lines load(const std::string& build_id) const;

    // Adds to what is there now. Best effort: a cache that cannot be written is none.
    void store(const std::string& build_id, known_lines added) const;

private:
    explicit symbol_cache(private_folder folder) : folder_(std::move(folder)) {}

    private_folder folder_;
};

}  // namespace v1
}  // namespace memwatch
