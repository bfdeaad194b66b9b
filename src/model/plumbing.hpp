// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whose unnamed code is nobody's own; beside is_plumbing() in site_name.hpp, which asks for functions.

#include <string_view>

namespace memwatch::inline v1 {

// libc, libstdc++, allocators, memwatch itself ... by the file name of `path`.
[[nodiscard]] bool is_plumbing_module(std::string_view path);

}  // namespace memwatch::inline v1
