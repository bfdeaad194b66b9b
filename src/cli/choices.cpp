// SPDX-License-Identifier: Apache-2.0
#include "cli/choices.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include <fmt/format.h>

namespace memwatch {
inline namespace v1 {
namespace {

// Types are in capitals (FILE|URL), words are not.
bool is_word_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '|';
}

}  // namespace

CLI::Option* choices::offer(CLI::Option* option) const { return option->type_name(fmt::format("{}", fmt::join(words_, "|"))); }

bool choices::has(std::string_view word) const noexcept {
    return std::find(words_.begin(), words_.end(), word) != words_.end();
}

std::string choices::in_words() const {
    std::string text;
    for (std::size_t i = 0; i < words_.size(); ++i) {
        text += i == 0 ? "" : i + 1 == words_.size() ? " or " : ", ";
        text += words_[i];
    }
    return text;
}

result<void> choices::check(std::string_view option, std::string_view word) const {
    if (has(word)) { return {}; }
    return fail(error_code::invalid_argument, "use " + in_words(), fmt::format("{} {}", option, word));
}

std::vector<std::string> offered_words(const CLI::Option& option) {
    std::string type = option.get_type_name();
    std::vector<std::string> words;
    // CLI11's own way: IsMember({"text", "json"}) makes "TEXT:{text,json}" of the type.
    if (const std::size_t set = type.find(":{"); set != std::string::npos && type.back() == '}') {
        type = type.substr(set + 2, type.size() - set - 3);
        std::replace(type.begin(), type.end(), ',', '|');
    }
    if (type.find('|') == std::string::npos || !std::all_of(type.begin(), type.end(), is_word_character)) { return words; }
    for (std::size_t at = 0; at <= type.size();) {
        const std::size_t end = std::min(type.find('|', at), type.size());
        words.push_back(type.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

}  // namespace v1
}  // namespace memwatch
