// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where in a repository a site is, for tools that show findings beside the code, and what it is called across builds.
//
// In: a stack whose file names come from whoever wrote the debug information. Out: a path inside the repository or nothing: no
// absolute path of the build machine, nothing that climbs out with "..". Threads: any.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <memwatch/model/delta.hpp>

namespace memwatch::inline v1::gate {

struct source_place {
    std::string file;      // relative to the root of the sources, with "/" between its parts
    std::uint32_t line{};  // 0 = unknown
    std::string function;  // bare
};

// `file` relative to `root` (an absolute folder). Relative names lose leading "..": compilers write them as seen from a build
// folder, which is inside the repository as a rule. Nothing for absolute names outside of the root.
[[nodiscard]] std::optional<std::string> path_in_repository(const std::string& file, const std::string& root);

// The innermost line of the user's own code that lies in the repository.
[[nodiscard]] std::optional<source_place> place_of(const std::vector<frame>& stack, const std::string& root);

// 16 hex digits over type, tag and the bare names of the functions (module and offset where there are none): the same in the
// next build as long as the calls are the same, unlike delta_row.key, which names one build's code.
[[nodiscard]] std::string site_fingerprint(const delta_row& row, const std::vector<module>& modules);

}  // namespace memwatch::inline v1::gate
