// SPDX-License-Identifier: Apache-2.0
#pragma once
// /debug/memtrace/config: the options in force and where each comes from, as JSON or as text.
// Secrets never get here: whoever makes the rows masks them; what looks like one in a value is redacted all the same. Threads:
// any.

#include <string>
#include <string_view>
#include <vector>

namespace memwatch {
inline namespace v1 {
namespace serve {

struct config_row {
    std::string name;
    std::string value;
    bool is_number{};         // JSON: no quotes
    std::string unit;         // "bytes", "ns" or empty
    std::string environment;  // name of the variable that sets it; empty = none does
    std::string origin;       // "default", "code", "environment", "runtime" or "cgroup"
    std::string help;
    std::string values;   // "off, on, full", "1 .. 64"; empty = any
    std::string changes;  // "start": fixed from then on; "runtime"
};

[[nodiscard]] std::string render_config_json(const std::vector<config_row>& rows, std::string_view session_state);
[[nodiscard]] std::string render_config_text(const std::vector<config_row>& rows, std::string_view session_state);

// A JSON string with its quotes: valid UTF-8, control characters escaped.
[[nodiscard]] std::string quote_json(std::string_view text);

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
