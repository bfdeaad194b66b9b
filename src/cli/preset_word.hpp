// SPDX-License-Identifier: Apache-2.0
#pragma once
// --preset WORD, checked here against the table that the process reads it with.

#include <string>

#include <memwatch/base/result.hpp>

#include "cli/choices.hpp"

namespace memwatch {
inline namespace v1 {

// "off", "on" ...: whatever the table lists.
[[nodiscard]] const choices& preset_choices();

// Empty is the default. Errors: invalid_argument, with the words there are.
[[nodiscard]] result<void> check_preset(const std::string& word);

}  // namespace v1
}  // namespace memwatch
