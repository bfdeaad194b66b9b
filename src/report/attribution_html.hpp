// SPDX-License-Identifier: Apache-2.0
#pragma once
// The attribution report as one HTML file to attach, mail or keep: no script, no font, no image, nothing fetched. Light and
// dark follow the reader's system. It carries its own Content-Security-Policy, default-src 'none' and the hash of its one style
// element, so that nothing in it could run even if a name found a way out of its escaping.
//
// In: an attribution. Out: UTF-8. Threads: any.

#include <string>
#include <string_view>

#include "attribution/attribution.hpp"
#include "report/attribution_markdown.hpp"

namespace memwatch {
inline namespace v1 {

[[nodiscard]] std::string render_html(const attribution& a, const attribution_text_options& options);

// `text` with control characters made visible and everything escaped that means something in HTML, also within attributes.
[[nodiscard]] std::string html_text(std::string_view text);

}  // namespace v1
}  // namespace memwatch
