// SPDX-License-Identifier: Apache-2.0
#pragma once
// Form fields ("sku=17&quantity=2") of a query or a body, without copying the text. Numbers and plain words only: nothing in
// this service needs %-decoding.

#include <cstdint>
#include <memory_resource>
#include <string_view>
#include <vector>

namespace orders {

struct form_field {
    std::string_view name;
    std::string_view value;
};

using form = std::pmr::vector<form_field>;  // of one request, so it lives in the request's arena

// Views into `text`, which must outlive the form.
[[nodiscard]] form parse_form(std::string_view text, std::pmr::memory_resource* memory);

// The first field of that name; empty when there is none.
[[nodiscard]] std::string_view field(const form& fields, std::string_view name);

// 0 when `text` is not a number that fits.
[[nodiscard]] std::uint32_t to_number(std::string_view text);

}  // namespace orders
