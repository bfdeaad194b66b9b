// SPDX-License-Identifier: Apache-2.0
#pragma once
// A FILE|URL|pid:N argument as a snapshot: read, fetched or asked for at a control socket, decoded, named.

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/model/snapshot.hpp>

#include "symbols/symbolizer.hpp"

namespace memwatch {
inline namespace v1 {

struct source_options {
    bool symbolize{true};
    std::vector<std::string> debug_dirs;
    bool use_cache{true};     // of symbols
    bool may_skip_records{};  // of a native dump of 64 MiB or more: reading them takes longer than a first look should
};

struct loaded_snapshot {
    snapshot value;
    std::vector<std::string> damage;  // "FILE: byte 200: ...", one a loss
    std::uint64_t unread_bytes{};     // of records in the file that were skipped; nothing is known of their state
};

// "pid:4711": a process, by its control socket. 0: another kind of source.
[[nodiscard]] std::uint64_t process_of(const std::string& argument) noexcept;
// Whether it is a process that runs rather than a file.
[[nodiscard]] bool is_running_source(const std::string& argument);

// Looks up names as `options` say, with progress on a terminal.
symbolize_summary name_frames(snapshot& s, const source_options& options);
// The same; what could not be named is a warning on stderr.
void name_frames_aloud(snapshot& s, const source_options& options);

// Warnings (damage, modules that could not be named) go to stderr. Errors: as read_dump() and http_get(); what a server or file
// sent and cannot be decoded is unreadable.
[[nodiscard]] result<loaded_snapshot> load_snapshot(const std::string& argument, const source_options& options);

// Of the history that a running service keeps of itself, the youngest that is at least so old ("2h"). Errors: as above;
// invalid_argument (a file has no history), not_found (it does not go back so far).
[[nodiscard]] result<loaded_snapshot> load_past_snapshot(const std::string& argument, const std::string& age,
                                                         const source_options& options);

}  // namespace v1
}  // namespace memwatch
