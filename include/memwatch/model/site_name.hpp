// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a person calls a site: the innermost frame of their own code. A stack that ends in
//     operator new <- std::vector<Order>::push_back <- orders::request_cache::insert <- orders::handle
// is "orders::request_cache::insert"; allocator, std::, __gnu_cxx::, boost:: and memwatch:: frames are plumbing, and so is code
// in libc and the like or inlined from headers of system and compiler, a class' own operator new, and an allocator that a
// std container calls (arena<T>::allocate). Where nothing has a name it is "orders+0x1a40" (module + file offset).

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <memwatch/base/export.hpp>
#include <memwatch/model/snapshot.hpp>

namespace memwatch {
inline namespace v1 {

// Never empty: "(no stack)" for a site without frames. The indices must be in range (validate()). Threads: any.
[[nodiscard]] MEMWATCH_API std::string site_name(const snapshot& s, const site& of);
[[nodiscard]] MEMWATCH_API std::string site_name(const std::vector<frame>& stack, const std::vector<module>& modules);

// Where that name comes from.
struct own_place {
    std::size_t frame{};  // in the site's stack, 0 = the allocating call
    std::size_t line{};   // of that frame, inlined calls first; no_line: the frame has no names
};
inline constexpr std::size_t no_line = static_cast<std::size_t>(-1);

// Nothing when all of the stack is plumbing, or there is none. The indices must be in range (validate()). Threads: any.
[[nodiscard]] MEMWATCH_API std::optional<own_place> find_own_place(const snapshot& s, const site& of);

// What machines call a site: 16 hex digits over build ids, offsets, type and tag; over names and lines where code is in no
// module. The same in every snapshot of one build, wherever it is loaded; the `site` of metrics and tables and the `key` of a
// delta's rows.
[[nodiscard]] MEMWATCH_API std::string site_key(const snapshot& s, const site& of);

// One frame as text: its innermost known function, else "module+0xoffset", else "0xaddress".
[[nodiscard]] MEMWATCH_API std::string frame_name(const frame& f, const std::vector<module>& modules);

// "void std::vector<int>::push_back(int const&) [clone .cold]" -> "std::vector<int>::push_back": the qualified name without
// return type, parameters, qualifiers and clone suffix. What is not a C++ declaration comes back as it is.
[[nodiscard]] MEMWATCH_API std::string bare_function_name(std::string_view demangled);

// Whether a function (demangled or plain C name) belongs to the allocator, the standard library, Boost or memwatch.
[[nodiscard]] MEMWATCH_API bool is_plumbing(std::string_view function);

}  // namespace v1
}  // namespace memwatch
