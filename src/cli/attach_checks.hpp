// SPDX-License-Identifier: Apache-2.0
#pragma once
// Why a process cannot be attached to, as one sentence: what is in the way, and what helps. Read from /proc, nothing is
// touched.

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include <memwatch/base/result.hpp>

namespace memwatch {
inline namespace v1 {

struct attach_question {
    std::uint64_t pid{};
    std::string library;        // the file that it is to load
    std::string proc{"/proc"};  // tests pass a fixture
    uid_t user{};               // who asks
};

// Errors: unreachable, `where` is "pid N". `warnings`: it can be tried, but.
[[nodiscard]] result<void> check_attachable(const attach_question& asked, std::vector<std::string>& warnings);

}  // namespace v1
}  // namespace memwatch
