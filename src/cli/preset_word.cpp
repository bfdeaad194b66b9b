// SPDX-License-Identifier: Apache-2.0
#include "cli/preset_word.hpp"

#include "settings/option_text.hpp"

namespace memwatch {
inline namespace v1 {

const choices& preset_choices() {
    static const choices presets = [] {
        std::vector<std::string> words;
        for (const auto& each : words_of<preset_option>::list) { words.emplace_back(each.text); }
        return choices(std::move(words));
    }();
    return presets;
}

result<void> check_preset(const std::string& word) {
    return word.empty() ? result<void>() : preset_choices().check("--preset", word);
}

}  // namespace v1
}  // namespace memwatch
