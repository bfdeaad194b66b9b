// SPDX-License-Identifier: Apache-2.0
// Functions that never run: what their unwind tables say, and the rule that must come of it. The assembler writes the tables.
#if defined(__x86_64__)

#include "platform/call_frame_info.hpp"

#include <catch2/catch.hpp>
#include <cstdint>

#include "platform/unwind_rules.hpp"

using namespace memwatch;
using platform::unwind_rule;

// Each label stands behind one byte of code that has the rules written above it: a call would return there.
asm(R"(
    .text
    .macro at name
    nop
    .globl \name
    .hidden \name
\name:
    .endm
    .macro begin
    .p2align 4
    .cfi_startproc
    .endm

    begin
    at rule_entry
    .cfi_def_cfa_offset 4128
    at rule_large
    .cfi_remember_state
    .cfi_def_cfa_offset 64
    .cfi_offset rbp, -48
    at rule_saved
    .cfi_remember_state
    .cfi_offset rbp, -16
    .cfi_def_cfa_register rbp
    .cfi_def_cfa_offset 16
    at rule_frame
    .cfi_restore_state
    at rule_saved_again
    .cfi_restore rbp
    at rule_restored
    .cfi_restore_state
    at rule_large_again
    .cfi_escape 0x2e, 0x20
    at rule_args_size
    .cfi_same_value rbp
    .cfi_def_cfa_offset 8388600
    at rule_largest
    .cfi_def_cfa_offset 8388608
    at rule_too_large
    .cfi_def_cfa_offset 12
    at rule_odd
    .cfi_def_cfa rbx, 16
    at rule_other_register
    .cfi_endproc

    begin
    .cfi_offset rbp, -64
    at rule_below_stack
    .cfi_endproc

    begin
    .cfi_escape 0x0f, 0x03, 0x76, 0x78, 0x06
    .cfi_escape 0x10, 0x06, 0x02, 0x76, 0x00
    at rule_realigned
    .cfi_escape 0x0f, 0x03, 0x76, 0x08, 0x06
    at rule_realigned_upwards
    .cfi_escape 0x0f, 0x04, 0x76, 0x78, 0x06, 0x06
    at rule_loaded_twice
    .cfi_endproc

    begin
    .cfi_escape 0x0f, 0x0b, 0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22
    at rule_linkage_before
    .skip 13, 0x90
    at rule_linkage_behind
    .cfi_endproc

    begin
    .cfi_undefined rip
    at rule_end
    .cfi_endproc

    begin
    .cfi_register rip, rcx
    at rule_return_in_register
    .cfi_endproc

    begin
    .cfi_escape 0x16, 0x06, 0x02, 0x77, 0x00
    at rule_fp_computed
    .cfi_endproc

    .p2align 4
    .cfi_startproc
    .cfi_signal_frame
    .cfi_escape 0x0f, 0x04, 0x77, 0xa0, 0x01, 0x06
    .cfi_escape 0x10, 0x06, 0x03, 0x77, 0xf8, 0x00
    .cfi_escape 0x10, 0x10, 0x03, 0x77, 0xa8, 0x01
    at rule_signal
    .cfi_escape 0x10, 0x10, 0x03, 0x77, 0xb0, 0x01
    at rule_other_signal
    .cfi_endproc

    .p2align 4
    nop
    nop
    at rule_outside
    .p2align 4
    .purgem at
    .purgem begin
)");

// clang-format does not come to rest on this list.
// clang-format off
#define RULE_LABELS(X) \
    X(entry) X(large) X(saved) X(frame) X(saved_again) X(restored) X(large_again) X(args_size) X(largest) \
    X(too_large) X(odd) X(other_register) X(below_stack) X(realigned) X(realigned_upwards) X(loaded_twice) \
    X(linkage_before) X(linkage_behind) X(end) X(return_in_register) X(fp_computed) X(signal) X(other_signal) \
    X(outside)
// clang-format on
#define DECLARE(name) extern "C" const char rule_##name;
RULE_LABELS(DECLARE)

namespace {

using way = unwind_rule::way;

constexpr unwind_rule rule(way how, std::uint32_t offset = 0, std::uint8_t fp_place = unwind_rule::fp_unchanged) {
    return {how, fp_place, offset};
}
constexpr unwind_rule none{};

bool is(const char& label, const unwind_rule& wanted) {
    const auto address = reinterpret_cast<std::uint64_t>(&label);
    const unwind_rule found = platform::look_up_unwind_rule(address);
    CAPTURE(static_cast<int>(found.how), found.offset, static_cast<int>(found.fp_place));
    CHECK(found == wanted);
    return found == wanted && platform::remembered_unwind_rule(address) == wanted;
}

}  // namespace

TEST_CASE("call frame info: offsets, saved registers, remembered and restored states", "[platform]") {
    CHECK(is(rule_entry, rule(way::stack_pointer, 8)));
    CHECK(is(rule_large, rule(way::stack_pointer, 4128)));
    CHECK(is(rule_saved, rule(way::stack_pointer, 64, 6)));
    CHECK(is(rule_frame, rule(way::frame_pointer, 16, 2)));
    CHECK(is(rule_saved_again, rule(way::stack_pointer, 64, 6)));
    CHECK(is(rule_restored, rule(way::stack_pointer, 64)));
    CHECK(is(rule_large_again, rule(way::stack_pointer, 4128)));
    CHECK(is(rule_args_size, rule(way::stack_pointer, 4128)));
    CHECK(is(rule_largest, rule(way::stack_pointer, 8'388'600)));
}

TEST_CASE("call frame info: what a rule can't say is no rule", "[platform]") {
    CHECK(is(rule_too_large, none));
    CHECK(is(rule_odd, none));
    CHECK(is(rule_other_register, none));
    CHECK(is(rule_below_stack, none));
    CHECK(is(rule_realigned_upwards, none));
    CHECK(is(rule_loaded_twice, none));
    CHECK(is(rule_return_in_register, none));
    CHECK(is(rule_fp_computed, none));
    CHECK(is(rule_other_signal, none));
}

TEST_CASE("call frame info: realigned frames, linkage tables, signal trampolines, ends", "[platform]") {
    CHECK(is(rule_realigned, rule(way::saved_by_frame, 8, unwind_rule::fp_at_fp)));
    CHECK(is(rule_linkage_before, rule(way::stack_pointer, 8)));
    CHECK(is(rule_linkage_behind, rule(way::stack_pointer, 16)));
    CHECK(is(rule_end, rule(way::end_of_stack)));
    CHECK(is(rule_signal, rule(way::signal_frame)));
    CHECK(is(rule_outside, rule(way::no_function)));
}

TEST_CASE("call frame info: of every prefix of a table, nothing is read behind its end", "[platform]") {
    // A header for no function, and one for a function whose entry lies outside.
    const std::uint8_t bytes[] = {1, 0x1B, 3, 0x3B, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0};
    for (std::size_t size = 0; size <= sizeof bytes; ++size) {
        const unwind_rule found = platform::find_unwind_rule({bytes, size, 0x1000}, 0x1000, 0x1000);
        CHECK(found == none);
    }
}

#endif
