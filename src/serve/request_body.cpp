// SPDX-License-Identifier: Apache-2.0
#include "serve/request_body.hpp"

#include <algorithm>

#include "serve/target.hpp"

namespace memwatch {
inline namespace v1 {
namespace serve {
namespace {

// One object of strings and whole numbers, nothing nested, no escapes: no word that means anything here has one.
class flat_object {
public:
    explicit flat_object(std::string_view text) : rest_(text) {}

    result<body_members> read() {
        body_members out;
        if (!take('{')) { return refuse(); }
        if (take('}')) { return at_end() ? result<body_members>(out) : refuse(); }
        do {
            std::string name;
            std::string value;
            if (!take_string(name) || !take(':') || !(take_string(value) || take_number(value))) { return refuse(); }
            out.emplace_back(std::move(name), std::move(value));
        } while (out.size() < max_parameters && take(','));
        return take('}') && at_end() ? result<body_members>(out) : refuse();
    }

private:
    static tl::unexpected<error> refuse() {
        return fail(error_code::invalid_argument, "not a JSON object of plain strings and whole numbers", "body");
    }
    void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }
    bool at_end() {
        skip_space();
        return rest_.empty();
    }
    bool take(char wanted) {
        skip_space();
        if (rest_.empty() || rest_.front() != wanted) { return false; }
        rest_.remove_prefix(1);
        return true;
    }
    bool take_string(std::string& into) {
        if (!take('"')) { return false; }
        const std::size_t end = rest_.find('"');
        if (end == std::string_view::npos || rest_.substr(0, end).find('\\') != std::string_view::npos) { return false; }
        into = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return true;
    }
    bool take_number(std::string& into) {
        const std::size_t end = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
        into = rest_.substr(0, end);
        rest_.remove_prefix(end);
        return !into.empty();
    }

    std::string_view rest_;
};

}  // namespace

result<body_members> parse_body(std::string_view content_type, std::string_view body) {
    if (content_type.substr(0, 16) == "application/json") { return flat_object(body).read(); }
    return parse_target("/?" + std::string(body)).map([](request_target&& form) { return std::move(form.parameters); });
}

}  // namespace serve
}  // namespace v1
}  // namespace memwatch
