// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whose code is nobody's own by where it lies; beside is_plumbing() in site_name.hpp, which asks for functions.

#include <algorithm>
#include <string_view>

namespace memwatch::inline v1 {

// libc, libstdc++, allocators, memwatch itself ... by the file name of `path`.
[[nodiscard]] bool is_plumbing_module(std::string_view path);

// A header of the system or the compiler, by the path that debug information gives: what it inlines, libc's getline() for one,
// is its caller's doing. Defined here: libmemwatch-serve asks, too.
[[nodiscard]] inline bool is_system_header(std::string_view path) noexcept {
    constexpr std::string_view system_folder = "/usr/include/";
    if (path.substr(0, system_folder.size()) == system_folder) { return true; }
    const auto compiler = std::min({path.find("/lib/gcc/"), path.find("/lib/clang/"), path.find("/lib/llvm-")});
    return path.find("/include/c++/") != std::string_view::npos || path.find("/include/", compiler) != std::string_view::npos;
}

}  // namespace memwatch::inline v1
