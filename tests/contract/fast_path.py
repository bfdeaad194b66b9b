#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what an allocation that is not sampled costs, in instructions and memory operands, by reading the preload object's code.

  fast_path.py ROOT --preload SO [--plants]

Follows each entry point from its first instruction, branches not taken, to the jump or return that leaves it. A call counts as one
instruction (operator new calls the allocator, because it must look at what came back). x86-64 only: elsewhere it says so and
skips.
"""
import argparse
import platform
import re
import subprocess
import sys

# entry point -> most instructions, most memory operands (stack slots aside)
BUDGETS = {
    "malloc": (4, 3),   # the TLS offset, the countdown, the target
    "free": (3, 1),     # the target; nothing that depends on the pointer
    "calloc": (8, 3),
    "realloc": (6, 3),
    "memalign": (4, 3),
    "aligned_alloc": (4, 3),
    "_Znwm": (12, 3),
    "_Znam": (12, 3),
    "_ZdlPv": (3, 1),
    "_ZdaPv": (3, 1),
    "_ZdlPvm": (3, 1),
    "_ZdaPvm": (3, 1),
}
PAIR = ("malloc", "free", 9)  # the published figure: at most so many instructions a pair

IGNORED = re.compile(r"^(endbr64|nop|cs nop|data16|xchg\s+%ax,%ax)")


def path_of(listing, symbol):
    """The instructions from the symbol on until it is left, with no conditional branch taken."""
    start = re.search(rf"^[0-9a-f]+ <{re.escape(symbol)}(?:@@[^>]*)?>:$", listing, re.M)
    if start is None:
        return None
    path = []
    for line in listing[start.end():].lstrip("\n").splitlines():
        found = re.match(r"^\s+[0-9a-f]+:\s+(.*)$", line)
        if found is None:
            break
        instruction = found.group(1).split("#")[0].strip()
        if IGNORED.match(instruction):
            continue
        path.append(instruction)
        if re.match(r"^(jmp|ret)", instruction):
            break
    return path


def memory_operands(path):
    return [i for i in path if "(" in i and not re.search(r"\(%r[sb]p", i) and not i.startswith(("lea", "nop"))]


def complaints_about(listing):
    complaints = []
    lengths = {}
    for symbol, (most, most_memory) in BUDGETS.items():
        path = path_of(listing, symbol)
        if path is None:
            complaints.append(f"{symbol}: not found")
            continue
        lengths[symbol] = len(path)
        text = "; ".join(path)
        if len(path) > most:
            complaints.append(f"{symbol}: {len(path)} instructions, {most} allowed: {text}")
        if len(memory_operands(path)) > most_memory:
            complaints.append(f"{symbol}: {len(memory_operands(path))} memory operands, {most_memory} allowed: {text}")
        if any(i.startswith("lock") or i.startswith("xchg") for i in path):
            complaints.append(f"{symbol}: an atomic instruction: {text}")
        if symbol in ("free", "_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZdaPvm") and any(re.search(r"\((%rdi|%rsi)", i) for i in path):
            complaints.append(f"{symbol}: a load that depends on the pointer: {text}")
    allocate, release, most = PAIR
    if allocate in lengths and release in lengths:
        pair = lengths[allocate] + lengths[release]
        print(f"{allocate} + {release}: {pair} instructions ({most} allowed)")
        if pair > most:
            complaints.append(f"{allocate} + {release}: {pair} instructions, {most} allowed")
    return complaints


PLANT = """
0000000000001000 <malloc>:
    1000:\tmov    0x1(%rip),%rax
    1007:\tsub    %rdi,%fs:(%rax)
    100b:\tjb     1020 <malloc+0x20>
    100d:\tlock incq 0x10(%rip)
    1015:\tjmp    *0x20(%rip)

0000000000001040 <free>:
    1040:\tmov    -0x10(%rdi),%rax
    1044:\tcmp    %rax,0x30(%rip)
    104a:\tje     1060 <free+0x20>
    1050:\tjmp    *0x40(%rip)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("--preload", required=True)
    parser.add_argument("--plants", action="store_true", help="see the planted violations instead")
    arguments = parser.parse_args()
    if arguments.plants:
        seen = complaints_about(PLANT)
        wanted = ["malloc: 5 instructions", "malloc: an atomic", "free: 4 instructions", "free: a load that depends", "calloc: not found"]
        missed = [w for w in wanted if not any(w in s for s in seen)]
        print(f"missed: {missed}" if missed else "all planted violations seen")
        return 1 if missed else 0
    if platform.machine() != "x86_64":
        print(f"skipped: written for x86-64, this is {platform.machine()}")
        return 77
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", arguments.preload], capture_output=True, text=True,
                             check=True).stdout
    complaints = complaints_about(listing)
    for complaint in complaints:
        print(complaint)
    print(f"{len(complaints)} complaint(s)")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
