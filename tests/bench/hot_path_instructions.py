#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts instructions of an allocation pair with callgrind: (instructions of 2N pairs - of N pairs) / N, so that start-up drops out.

  hot_path_instructions.py PROGRAM [WHAT...]

The sampler and the edge test may add 6 instructions to a pair (issue 2); the exact counters are shown beside them. Exits 1 beyond,
77 without valgrind.
"""
import re
import shutil
import subprocess
import sys
import tempfile

BUDGET = 6


def instructions(program: str, what: str, pairs: int) -> int:
    with tempfile.NamedTemporaryFile() as out:
        run = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", program, "count", what, str(pairs)],
                             capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def main() -> int:
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return 77
    program = sys.argv[1]
    if sys.argv[2:]:  # of another program: what each of its kinds takes
        for what in sys.argv[2:]:
            print(f"{what:8} {(instructions(program, what, 9 * 16384) - instructions(program, what, 8 * 16384)) / 16384:7.2f} instructions a pair")
        return 0
    per_pair = {}
    for what in ("plain", "sampler", "tracked"):
        # N is far above the 1 MiB (16,384 blocks of 64 bytes) between two looks at the off switch, and both runs see whole looks.
        per_pair[what] = (instructions(program, what, 9 * 16384) - instructions(program, what, 8 * 16384)) / 16384
        print(f"{what:8} {per_pair[what]:7.2f} instructions a pair")
    added = per_pair["sampler"] - per_pair["plain"]
    print(f"sampler and edge test: {added:+.2f} (budget {BUDGET}); exact counters: {per_pair['tracked'] - per_pair['sampler']:+.2f}")
    return 0 if added <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
