// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a name would mean if we were not here: each library of this room looks in its own way (symbols_behind.cpp,
// symbols_global.cpp). Threads: any. Allocates: the dynamic linker may.

namespace memwatch::interpose {

// Null: nobody defines it.
[[nodiscard]] void* find_symbol(const char* name) noexcept;

template <class Function>
[[nodiscard]] Function find_function(const char* name) noexcept {
    return reinterpret_cast<Function>(find_symbol(name));
}

// No block of the program's is older than we are: whoever owns them, all of them come and go through us.
[[nodiscard]] bool is_here_from_the_start() noexcept;

// libc's own, past anything of ours with that name. For the attached library.
[[nodiscard]] void* open_module(const char* name, int flags) noexcept;
void close_module(void* handle) noexcept;

}  // namespace memwatch::interpose
