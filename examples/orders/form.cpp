// SPDX-License-Identifier: Apache-2.0
#include "form.hpp"

#include <algorithm>
#include <charconv>

namespace orders {

form parse_form(std::string_view text, std::pmr::memory_resource* memory) {
    form fields{memory};
    fields.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '&')) + 1);
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        const std::size_t equals = std::min(part.find('='), part.size());
        fields.push_back({part.substr(0, equals), part.substr(std::min(equals + 1, part.size()))});
    }
    return fields;
}

std::string_view field(const form& fields, std::string_view name) {
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const form_field& f) { return f.name == name; });
    return found == fields.end() ? std::string_view{} : found->value;
}

std::uint32_t to_number(std::string_view text) {
    std::uint32_t number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? number : 0;
}

}  // namespace orders
