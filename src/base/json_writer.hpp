// SPDX-License-Identifier: Apache-2.0
#pragma once
// JSON text, front to back: the writer knows where commas go, the caller knows what comes next. Output is always valid UTF-8
// and valid JSON numbers (what isn't finite is null), whatever goes in.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/export.hpp>

namespace memwatch {
inline namespace v1 {

class MEMWATCH_API json_writer {
public:
    void begin_object() { open('{'); }
    void end_object() { close('}'); }
    void begin_array() { open('['); }
    void end_array() { close(']'); }

    // Starts the next element on a line of its own; only looks.
    void new_line() { wants_line_ = true; }

    json_writer& key(std::string_view name);
    void value(std::string_view text);
    void value(const char* text) { value(std::string_view(text)); }
    void value(std::uint64_t number);
    void value(std::int64_t number);
    void value(double number);  // one decimal more than matters: bytes and seconds come as 12.345
    void value(bool flag);
    void null();

    // text_ with a newline at the end.
    [[nodiscard]] std::string take();

private:
    void open(char bracket);
    void close(char bracket);
    void separate();  // the comma, unless first or behind a key

    std::string text_;
    std::vector<bool> has_elements_;  // one a nesting level
    bool is_after_key_{};
    bool wants_line_{};
};

}  // namespace v1
}  // namespace memwatch
