// SPDX-License-Identifier: Apache-2.0
#pragma once
// One site on its way up the ladder (ladder.hpp): who it is and its user chain, innermost call first.

#include <cstdint>
#include <string>
#include <vector>

namespace memwatch::inline v1 {

struct user_call {
    std::uint32_t variant;  // functions::add
    std::uint32_t line;     // relative to the function's start, from 1; absolute where the start is unknown; 0 = unknown
};

struct user_chain {
    std::vector<user_call> calls;
    std::uint64_t
        entry{};  // the plumbing function that the innermost user function calls: `new`, `malloc`, `vector<T>::push_back`
    bool is_nameless{};    // the innermost user function has no name
    bool is_of_rebuilt{};  // some frame is of a module that the other snapshot doesn't have
};

struct climber {
    std::uint32_t row{};
    std::size_t side{};    // 0 or 1; which is BEFORE is the ladder's affair
    std::uint64_t kind{};  // hash of type and tag
    const user_chain* chain{};
    std::vector<std::uint32_t> functions;  // united
    std::vector<std::uint32_t> places;     // united
    std::string type{};
    double mean_size_bytes{};  // of its live blocks; 0 = none lives
    bool is_joined{};
};

}  // namespace memwatch::inline v1
