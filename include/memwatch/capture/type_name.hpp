// SPDX-License-Identifier: Apache-2.0
#pragma once
// The name of a type as the compiler spells it, without RTTI: "std::pair<const int, order>". Static storage of the module that
// instantiated it, so records copy it when they intern a site (a plugin may be unloaded).

#include <string_view>

namespace memwatch {
inline namespace v1 {
namespace detail {

template <class Type>
constexpr std::string_view pretty_function() noexcept {
    return __PRETTY_FUNCTION__;
}

// gcc and clang frame the name differently; a known type measures the frame.
inline constexpr std::size_t type_name_prefix = pretty_function<double>().find("double");
inline constexpr std::size_t type_name_tail = pretty_function<double>().size() - type_name_prefix - 6;

template <class Type>
constexpr std::string_view bare_type_name() noexcept {
    constexpr std::string_view text = pretty_function<Type>();
    // gcc appends "; std::string_view = ..." to the bracket for some types: the frame's tail covers it for all.
    return text.substr(type_name_prefix, text.size() - type_name_prefix - type_name_tail);
}

}  // namespace detail

// The name as the compiler spells it, without RTTI: "orders::order_line". Has static storage.
template <class Type>
[[nodiscard]] constexpr std::string_view type_name() noexcept {
    return detail::bare_type_name<Type>();
}

}  // namespace v1
}  // namespace memwatch
