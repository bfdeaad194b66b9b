// SPDX-License-Identifier: Apache-2.0
#pragma once
// The attribution report as Markdown with YAML front matter: what a person reads first, and `yq` can query. docs/report.md has
// the front matter's fields.
//
// In: an attribution. Out: UTF-8. Threads: any. Names from the snapshots stand in code spans in the text and in double-quoted
// scalars in the front matter; neither can be left from inside.

#include <string>

#include "attribution/attribution.hpp"

namespace memwatch {
inline namespace v1 {

struct attribution_text_options {
    std::string tool_version;
    bool has_test_files{true};       // the templates stand beside the report, so it points to them
    std::size_t appendix_rows{200};  // of all rows; 0 = all
};

[[nodiscard]] std::string render_markdown(const attribution& a, const attribution_text_options& options);

// A YAML 1.1 and 1.2 double-quoted scalar on one line.
[[nodiscard]] std::string yaml_string(std::string_view text);

}  // namespace v1
}  // namespace memwatch
