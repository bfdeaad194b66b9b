// SPDX-License-Identifier: Apache-2.0
// A module that is loaded, walked through and closed again. ROOM changes the frame of outer() and nothing else; with SECOND,
// there is one more function behind it.

using function = void (*)();

// The assembler is told a room, so that the code around it has the same size whatever the room is.
asm(R"(
    .text
    .globl outer
    .type outer, @function
    .p2align 4
outer:
    .cfi_startproc
    subq $)" ROOM R"(, %rsp
    .cfi_def_cfa_offset 8 + )" ROOM R"(
    call *%rdi
    addq $)" ROOM R"(, %rsp
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size outer, . - outer
)");

extern "C" [[gnu::visibility("default")]] void inner(function next);
extern "C" void inner(function next) {
    next();
    asm volatile("" ::: "memory");
}

#ifdef SECOND
extern "C" [[gnu::visibility("default")]] int another(int n);
extern "C" int another(int n) { return n + 1; }
#endif
