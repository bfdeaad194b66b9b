// SPDX-License-Identifier: Apache-2.0
#include "serve/config_page.hpp"

#include "model/redaction.hpp"
#include "serve/utf8.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {

namespace {

constexpr std::size_t max_value_bytes = 4096;

void append_escaped(std::string& out, char c) {
    constexpr char digits[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
        out += "\\u00";
        out += digits[byte >> 4U];
        out += digits[byte & 0xFU];
    } else {
        out += c;
    }
}

// A value must not look like the next line.
std::string one_line(std::string_view text) {
    std::string out = to_utf8(text, max_value_bytes);
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) { c = '?'; }
    }
    return out;
}

// The line below the help: which values, and when.
std::string limits_of(const config_row& row) {
    const char* const when = row.changes == "runtime" ? "can be changed while it runs" : "";
    const char* const comma = row.values.empty() || row.changes != "runtime" ? "" : "; ";
    const std::string both = one_line(row.values) + comma + when;
    return both.empty() ? both : "    " + both + "\n";
}

std::string member(std::string_view name, const std::string& value) { return quote_json(name) + ":" + value; }

}  // namespace

std::string quote_json(std::string_view text) {
    std::string out = "\"";
    for (const char c : to_utf8(text, max_value_bytes)) { append_escaped(out, c); }
    return out + "\"";
}

std::string render_config_json(const std::vector<config_row>& rows, std::string_view session_state) {
    std::string out = "{\"kind\":\"memwatch.config\",\"version\":1,\"session\":" + quote_json(session_state) + ",\"options\":[";
    for (const config_row& row : rows) {
        if (&row != &rows.front()) { out += ','; }
        out += "\n{" + member("name", quote_json(row.name)) + "," +
               member("value", row.is_number ? row.value : quote_json(redacted(row.value))) + "," +
               member("unit", row.unit.empty() ? "null" : quote_json(row.unit)) + "," +
               member("environment", row.environment.empty() ? "null" : quote_json(row.environment)) + "," +
               member("origin", quote_json(row.origin)) + "," +
               member("values", row.values.empty() ? "null" : quote_json(row.values)) + "," +
               member("changes", quote_json(row.changes)) + "," + member("help", quote_json(row.help)) + "}";
    }
    return out + "]}\n";
}

std::string render_config_text(const std::vector<config_row>& rows, std::string_view session_state) {
    std::string out = "session: " + one_line(session_state) + "\n";
    for (const config_row& row : rows) {
        out += "\n" + row.name + " = " + one_line(redacted(row.value)) + (row.unit.empty() ? "" : " " + row.unit) + "   (" +
               row.origin + (row.environment.empty() ? "" : "; " + row.environment) + ")\n    " + one_line(row.help) + "\n" +
               limits_of(row);
    }
    return out;
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
