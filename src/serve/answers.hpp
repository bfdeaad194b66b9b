// SPDX-License-Identifier: Apache-2.0
#pragma once
// Responses, made: types, refusals with their status, files to save, the headers that every answer carries. Threads: any.

#include <string>
#include <string_view>

#include <memwatch/base/result.hpp>
#include <memwatch/serve/http_handler.hpp>

namespace memwatch {
inline namespace v1 {
namespace serve {

inline constexpr const char* text_type = "text/plain; charset=utf-8";
inline constexpr const char* json_type = "application/json";
inline constexpr const char* markdown_type = "text/markdown; charset=utf-8";
inline constexpr const char* html_type = "text/html; charset=utf-8";

[[nodiscard]] http_response answer(unsigned status, const char* content_type, std::string body);

// One sentence of plain text.
[[nodiscard]] http_response refuse(unsigned status, std::string_view what);
[[nodiscard]] http_response refuse(const error& e);  // the status that its code maps to

// 200 with the body, or its error.
[[nodiscard]] http_response rendered(result<std::string> body, const char* content_type);

// A dump's format: how it is sent and saved, and whether it is worth naming functions for.
struct format_row {
    std::string_view name;
    const char* content_type;
    const char* file_name;
    bool wants_names;
};
[[nodiscard]] const format_row* find_format(std::string_view name);  // null: none
[[nodiscard]] http_response attachment(result<std::string> body, const format_row& format);

// `text` with & < > " ' as character references.
[[nodiscard]] std::string escape_html(std::string_view text);
[[nodiscard]] std::string html_page(std::string_view text);

void add_security_headers(http_response& response);

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
