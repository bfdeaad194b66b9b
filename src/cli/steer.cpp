// SPDX-License-Identifier: Apache-2.0
#include "cli/steer.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <memwatch/base/units.hpp>

#include "control/client.hpp"
#include "control/protocol.hpp"
#include "report/json.hpp"
#include "report/text_table.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {

namespace {

// Takes a number and the space behind it off.
std::uint64_t take_number(std::string_view& text) noexcept {
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (!text.empty() && text.front() == ' ') { text.remove_prefix(1); }
    return number;
}

// What the answer says of all snapshots, then each in a row of its own: NAME=BYTES TAKEN_UNIX_NS AGE_NS [what is wrong with
// it].
std::string history_words(std::string_view answer) {
    std::string words;
    text_table rows(false);
    rows.add_column("name", text_table::align::left);
    rows.add_column("bytes", text_table::align::right);
    rows.add_column("taken", text_table::align::left);
    rows.add_column("age", text_table::align::right);
    rows.add_column("what is wrong with it", text_table::align::left);
    while (!answer.empty()) {
        const std::string_view line = answer.substr(0, answer.find('\n'));
        answer.remove_prefix(std::min(line.size() + 1, answer.size()));
        const std::string_view name = line.substr(0, line.find('='));
        std::string_view value = line.substr(std::min(name.size() + 1, line.size()));
        if (name == "where" || name == "problem" || name == "bytes" || name == "max_bytes") {
            words += printable(line) + "\n";
            continue;
        }
        const std::uint64_t bytes = take_number(value);
        const std::uint64_t taken_unix_ns = take_number(value);
        const std::uint64_t age_ns = take_number(value);
        rows.add_row({printable(name), format_bytes(static_cast<double>(bytes)), format_time(taken_unix_ns),
                      format_duration(age_ns), printable(value)});
    }
    return rows.empty() ? words : words + rows.render();
}

}  // namespace

exit_status run(const control_command& command) {
    control::request asked{command.action, command.settings};
    const bool is_page = command.action == "timeline";  // made over there, in one of two forms
    if (is_page) { asked.parameters.emplace_back("format", command.as_json ? "json" : "text"); }
    // No value may become another word of the request.
    if (const auto sound = control::parse_request(control::to_line(asked)); !sound || sound->parameters != asked.parameters) {
        print_error({error_code::invalid_argument, "settings are NAME=VALUE, each a word, no name twice", {}});
        return exit_status::usage;
    }
    const result<std::string> answer = control::ask(command.pid, asked);
    if (!answer) {
        print_error(answer.error());
        return status_of(answer.error());
    }
    std::string words;
    if (command.action == "history" && !command.as_json) {
        words = history_words(*answer);
    } else if (command.as_json) {
        words = is_page ? *answer : fields_to_json(*answer);
    } else {
        for (std::string_view rest = *answer; !rest.empty();) {
            const std::size_t end = std::min(rest.find('\n'), rest.size());
            words += printable(rest.substr(0, end)) + "\n";
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    const result<void> written = print(words);
    return written ? exit_status::fine : status_of(written.error());
}

}  // namespace v1
}  // namespace memwatch
