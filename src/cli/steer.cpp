// SPDX-License-Identifier: Apache-2.0
#include "cli/steer.hpp"

#include <algorithm>
#include <string_view>

#include "control/client.hpp"
#include "control/protocol.hpp"
#include "report/json.hpp"
#include "report/words.hpp"

namespace memwatch {
inline namespace v1 {

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
    if (command.as_json) {
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
