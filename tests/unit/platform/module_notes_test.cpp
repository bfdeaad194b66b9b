// SPDX-License-Identifier: Apache-2.0
#include "platform/module_notes.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <vector>

// What this program's note points to: src/runtime/copies.cpp, linked statically.
extern "C" unsigned char memwatch_copy_record[];

// Notes that others might bring, in this very program: pointing nowhere, into code, of another owner, of another size.
__asm__(R"(
    .pushsection .note.planted, "a", %note
    .balign 4
    .long 9, 8, 1
    .asciz "memwatch"
    .balign 4
    .8byte 0x7fffffffffff
    .long 9, 8, 1
    .asciz "memwatch"
    .balign 4
  1: .8byte main - 1b
    .long 9, 8, 1
    .asciz "memwatcH"
    .balign 4
  2: .8byte memwatch_copy_record - 2b
    .long 9, 4, 1
    .asciz "memwatch"
    .balign 4
    .long 0
    .long 9, 8, 2
    .asciz "memwatch"
    .balign 4
  3: .8byte memwatch_copy_record - 3b
    .popsection)");

namespace memwatch {
namespace {

std::vector<void*> notes_with(std::size_t bytes) {
    std::vector<void*> found;
    platform::visit_notes(
        bytes,
        [](void* list, void* pointed_to) noexcept {
            static_cast<std::vector<void*>*>(list)->push_back(pointed_to);
            return false;
        },
        &found);
    return found;
}

TEST_CASE("module_notes: a program's own note is found, and no note that leads anywhere else") {
    const std::vector<void*> found = notes_with(64);
    REQUIRE(std::count(found.begin(), found.end(), static_cast<void*>(memwatch_copy_record)) == 1);
    CHECK(found.size() == 1);
}

TEST_CASE("module_notes: a note whose module ends before the bytes that are wanted is passed over") {
    CHECK(notes_with(std::size_t{1} << 40U).empty());
}

TEST_CASE("module_notes: visits may be nested, and end when the visitor says so") {
    int outer = 0;
    platform::visit_notes(
        8,
        [](void* count, void*) noexcept {
            ++*static_cast<int*>(count);
            return !notes_with(8).empty();
        },
        &outer);
    CHECK(outer == 1);
}

TEST_CASE("module_notes: the executable and what never goes are kept without asking") {
    CHECK(platform::keep_module_loaded(memwatch_copy_record));
    CHECK(platform::keep_module_loaded(dlsym(RTLD_DEFAULT, "malloc")));
    int local = 0;
    CHECK_FALSE(platform::keep_module_loaded(&local));
}

}  // namespace
}  // namespace memwatch
