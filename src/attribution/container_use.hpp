// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a stack says about who keeps the memory: the library frames between the allocator and the first function of the user's
// own code. For `orders[id] = std::string(body)` they are
//
//   operator new <- std::__cxx11::basic_string<char>::_M_create <- std::map<int, std::string>::operator[] <- orders::remember
//                   made: a string                                 holder: a map                            the user's own
//
// In: function names, innermost first, inlined calls unfolded. Out: a plain value. A stack without names says nothing. Threads:
// any.

#include <string>
#include <string_view>
#include <vector>

#include <memwatch/model/snapshot.hpp>

namespace memwatch::inline v1 {

// hash and tree are containers with a node an element, which an element leaves by being erased.
enum class container { none, tree, hash, list, vector, deque, string, shared_pointer, function, c_heap, plain_new };

[[nodiscard]] const char* to_string(container what) noexcept;

struct container_use {
    container made{container::none};    // what called the allocator
    container holder{container::none};  // what the user's code called
    std::string called;                 // the library function the user's code called: "std::map::operator[]"
    std::string user_function;          // the first function of the user's own, as demangled; empty = no names
    std::string user_file;
    std::uint32_t user_line{};
};

[[nodiscard]] container_use read_stack(const std::vector<frame>& stack);

// Whether one of the functions names what usually keeps things on purpose: cache, memo, intern, registry, pool ...
[[nodiscard]] bool sounds_like_cache(std::string_view name);

}  // namespace memwatch::inline v1
