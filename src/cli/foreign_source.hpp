// SPDX-License-Identifier: Apache-2.0
#pragma once
// A file of another profiler as a source: recognised by its first bytes, read by exchange/.
//
// Most of these formats name modules by path only. What stands there now is taken for the same build when it is not newer than
// the profile, so that frames get names and compare across runs; a newer one is marked as replaced, as /proc/PID/maps does.

#include <optional>
#include <string>

#include "exchange/foreign_profile.hpp"

namespace memwatch {
inline namespace v1 {

// Nothing when the file cannot be opened or is of no foreign format: then it is read as a dump of our own, or refused as one.
// Errors: as read_foreign_profile(), limit for a file above 4 GiB; `where` is the path.
[[nodiscard]] result<std::optional<exchange::imported_profile>> read_foreign_file(const std::string& path);

// `read`, its error with the source's name in front.
[[nodiscard]] result<std::optional<exchange::imported_profile>> name_source(result<exchange::imported_profile> read,
                                                                            const std::string& source);

// Build ids for modules that have none. Opens regular files only. Adds a note to `profile` when it did something.
void take_local_build_ids(exchange::imported_profile& profile, const std::string& path);

// Whether there is a frame that a look-up could give a name.
[[nodiscard]] bool has_nameless_frame(const snapshot& s);

}  // namespace v1
}  // namespace memwatch
