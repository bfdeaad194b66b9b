// SPDX-License-Identifier: Apache-2.0
#include "interpose/patched_functions.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "interpose/operator_targets.hpp"
#include "interpose/symbol_search.hpp"
#include "interpose/targets.hpp"

// Functions of this library by their symbols: for most of them no header has a declaration that would fit all.
// clang-format off
#define MEMWATCH_FUNCTIONS(each) \
    each(_ZdaPv, false) each(_ZdaPvRKSt9nothrow_t, false) each(_ZdaPvSt11align_val_t, false) \
    each(_ZdaPvSt11align_val_tRKSt9nothrow_t, false) each(_ZdaPvm, true) each(_ZdaPvmSt11align_val_t, true) \
    each(_ZdlPv, false) each(_ZdlPvRKSt9nothrow_t, false) each(_ZdlPvSt11align_val_t, false) \
    each(_ZdlPvSt11align_val_tRKSt9nothrow_t, false) each(_ZdlPvm, true) each(_ZdlPvmSt11align_val_t, true) \
    each(_Znam, false) each(_ZnamRKSt9nothrow_t, false) each(_ZnamSt11align_val_t, false) \
    each(_ZnamSt11align_val_tRKSt9nothrow_t, false) each(_Znwm, false) each(_ZnwmRKSt9nothrow_t, false) \
    each(_ZnwmSt11align_val_t, false) each(_ZnwmSt11align_val_tRKSt9nothrow_t, false) each(aligned_alloc, false) \
    each(calloc, false) each(cfree, false) each(dallocx, false) each(dlclose, false) each(dlopen, false) \
    each(free, false) each(free_aligned_sized, true) each(free_sized, true) each(malloc, false) \
    each(memalign, false) each(posix_memalign, false) each(pvalloc, false) each(rallocx, false) \
    each(realloc, false) each(reallocarray, false) each(sdallocx, true) each(tc_delete_sized, true) \
    each(tc_deletearray_sized, true) each(tc_free_sized, true) each(valloc, false)
// clang-format on

#define MEMWATCH_DECLARE(name, is_sized) extern "C" const char memwatch_own_##name[] asm(#name);
MEMWATCH_FUNCTIONS(MEMWATCH_DECLARE)

namespace memwatch::interpose {
namespace {

#define MEMWATCH_ROW(name, is_sized) {#name, reinterpret_cast<std::uintptr_t>(memwatch_own_##name), 0, is_sized},
patched_function functions[] = {MEMWATCH_FUNCTIONS(MEMWATCH_ROW)};

#define MEMWATCH_NAME(name, is_sized) #name,
constexpr std::string_view names[] = {MEMWATCH_FUNCTIONS(MEMWATCH_NAME)};
static_assert(std::is_sorted(std::begin(names), std::end(names)), "looked up by bisection");

bool is_operator(std::string_view name) noexcept {
    return name.substr(0, 4) == "_Znw" || name.substr(0, 4) == "_Zna" || name.substr(0, 4) == "_Zdl" ||
           name.substr(0, 4) == "_Zda";
}

}  // namespace

std::span<const patched_function> patched_functions() noexcept {
    static const bool are_looked_up = [] {
        for (patched_function& each : functions) {
            // A program's own operators stay: what they take from malloc is seen there.
            if (is_operator(each.name) &&
                (operators.is_foreign || operators.is_aligned_foreign || find_foreign_operator(real, each.name) != nullptr)) {
                continue;
            }
            each.original = reinterpret_cast<std::uintptr_t>(find_symbol(each.name));
        }
        return true;
    }();
    static_cast<void>(are_looked_up);
    return functions;
}

}  // namespace memwatch::interpose
