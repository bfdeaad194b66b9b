// SPDX-License-Identifier: Apache-2.0
#pragma once
// .eh_frame, read: for an address in code, how to get from a frame to its caller's. The table says it as a program (DWARF 5,
// section 6.4.2; the .eh_frame flavour is the LSB's); run up to the address, what counts of its outcome fits 31 bits.
//
//   a function without frame pointer          one with                          one that realigned its stack (gcc)
//   CFA = sp + 48, fp unchanged               CFA = fp + 16, fp at CFA - 16     CFA = *(fp - 8), fp at *fp
//
// CFA is DWARF's canonical frame address: the caller's stack pointer after the return. On x86-64 the return address lies at
// CFA - 8; code that does it otherwise has no rule here, and those who ask use a slower unwinder.
//
// In: bytes of a loaded module - or of a fuzzer: every read is checked against the image, loops are bounded by its size.
// Out: a rule. Threads: any; a pure function. [hook]

#include <cstddef>
#include <cstdint>

namespace memwatch {
inline namespace v1 {
namespace platform {

struct unwind_rule {
    enum class way : std::uint8_t {
        none,            // no table, a broken one, or one that says something else than the ways below
        no_function,     // a sound table that knows nothing of this address: no unwinder can go on
        stack_pointer,   // CFA = sp + offset
        frame_pointer,   // CFA = fp + offset
        saved_by_frame,  // CFA = *(fp - offset)
        signal_frame,    // sp points to a ucontext; the frame goes on at exactly the address found there
        end_of_stack,    // nobody returns from here: a thread begins
    };
    static constexpr std::uint8_t fp_unchanged = 0;
    static constexpr std::uint8_t fp_at_fp = 255;                   // *fp
    static constexpr std::uint32_t most_offset = (1U << 23U) - 8U;  // 8 MiB; one larger has no rule

    way how = way::none;
    std::uint8_t fp_place = fp_unchanged;  // k = 1 .. 254: the caller's fp was saved at CFA - 8k
    std::uint32_t offset = 0;              // bytes, a multiple of 8

    friend bool operator==(const unwind_rule& a, const unwind_rule& b) noexcept {
        return a.how == b.how && a.fp_place == b.fp_place && a.offset == b.offset;
    }
};

// Where the kernel puts registers on a signal's stack, from the ucontext on (x86-64, uc_mcontext). .eh_frame repeats these
// numbers for libc's return trampoline; only a trampoline that says exactly this is a signal_frame.
inline constexpr std::uint32_t ucontext_fp = 120;
inline constexpr std::uint32_t ucontext_sp = 160;
inline constexpr std::uint32_t ucontext_pc = 168;

// Bytes [address, address + size) of a module; in a test, anywhere.
struct unwind_image {
    const std::uint8_t* bytes{};
    std::size_t size{};
    std::uint64_t address{};
};

// The rule for the instruction at `pc`. `header` is the address of .eh_frame_hdr in the image. O(log functions + instructions
// of the function's program).
[[nodiscard]] unwind_rule find_unwind_rule(const unwind_image& image, std::uint64_t header, std::uint64_t pc) noexcept;

}  // namespace platform
}  // namespace v1
}  // namespace memwatch
