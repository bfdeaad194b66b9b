// SPDX-License-Identifier: Apache-2.0
#pragma once
// Puts our functions into the slots of all loaded modules, and takes them out again. A module's slot is ours to change if it
// holds what the whole program means by that name: the original, or a stub that would find it. What holds anything else - an
// allocator of its own, somebody else's hook - stays.
//
// Running threads see a slot's old or its new word; both functions are right for any block. A module is pinned (dlopen without
// loading) while its slots are written: so it is not unmapped meanwhile, and the dynamic linker is done with it.
//
// Threads: one at a time (the caller's lock). Allocates and calls the dynamic linker: never from a hook.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "interpose/patched_functions.hpp"

namespace memwatch::interpose {

class function_patches {
public:
    enum class which : std::uint8_t { all, sized };

    // Patches what is not patched yet, and forgets modules that are gone. Returns how many slots are ours now.
    std::size_t put(which wanted);
    // Gives each slot the word it had. `kept`: sized deallocation stays as it is. Slots that somebody else changed meanwhile
    // stay theirs. Returns how many are still ours.
    std::size_t take_back(bool keeps_sized);

    // Modules come and go: two numbers of the dynamic linker that count them.
    struct load_counts {
        std::uint64_t loaded{};
        std::uint64_t unloaded{};
        bool operator==(const load_counts&) const noexcept = default;
    };
    [[nodiscard]] static load_counts count_loads() noexcept;

    [[nodiscard]] std::size_t module_count() const noexcept { return module_count_; }
    [[nodiscard]] std::size_t refused_count() const noexcept { return refused_; }  // slots whose page could not be written

private:
    struct patch {
        std::uintptr_t* where;
        std::uintptr_t before;
        const patched_function* function;
        std::uintptr_t module;  // its base
    };

    [[nodiscard]] const patch* find(const std::uintptr_t* where) const noexcept;

    std::vector<patch> patches_;  // ordered by where
    std::size_t module_count_{};
    std::size_t refused_{};
};

}  // namespace memwatch::interpose
