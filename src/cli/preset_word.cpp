// SPDX-License-Identifier: Apache-2.0
#include "cli/preset_word.hpp"

#include "settings/option_text.hpp"

namespace memwatch {
inline namespace v1 {

result<void> check_preset(const std::string& word) {
    preset_option ignored{};
    if (word.empty() || read_option(describe(option_id::preset), word, ignored)) { return {}; }
    return fail(error_code::invalid_argument, "use " + list_words<preset_option>(), "--preset " + word);
}

}  // namespace v1
}  // namespace memwatch
