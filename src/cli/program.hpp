// SPDX-License-Identifier: Apache-2.0
#pragma once
// The program behind `memwatch run`: which file it is, and whether the dynamic loader will put memwatch into it. What can't be
// watched is refused with the reason, rather than run without memwatch.

#include <string>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

// As a shell finds it: a name with a slash is a path, else the folders of PATH. Errors: not_found; io (found, but it may not be
// executed).
[[nodiscard]] result<std::string> find_program(const std::string& name);

// Fine, or why memwatch can't get in: static, set-user-ID, capabilities, another machine or word size, a sanitizer's runtime in
// it. `warnings`: it can, but will not see everything. Scripts are as good as their interpreters. Errors: unsupported, io.
[[nodiscard]] result<void> check_program(const std::string& path, std::vector<std::string>& warnings);

// libmemwatch-preload.so: MEMWATCH_PRELOAD_LIBRARY, beside this program's build, or installed. Errors: not_found, unsupported
// (a path that LD_PRELOAD cannot carry).
[[nodiscard]] result<std::string> find_preload_library();
// The same for libmemwatch-attach.so, MEMWATCH_ATTACH_LIBRARY. Errors: not_found.
[[nodiscard]] result<std::string> find_attach_library();

}  // namespace v1
}  // namespace memwatch
