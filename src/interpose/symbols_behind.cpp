// SPDX-License-Identifier: Apache-2.0
// For a preloaded object: the next definition behind it in the search order.
#include <dlfcn.h>

#include "interpose/symbol_search.hpp"

namespace memwatch::interpose {

void* find_symbol(const char* name) noexcept { return dlsym(RTLD_NEXT, name); }
bool is_here_from_the_start() noexcept { return true; }

}  // namespace memwatch::interpose
