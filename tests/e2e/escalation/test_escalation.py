# SPDX-License-Identifier: Apache-2.0
"""A leak of 64-byte blocks at R = 1 MiB, in a program that knows nothing of memwatch: 1,000 blocks an epoch are one sample in 16
epochs, a verdict from samples alone takes 410. Escalated, the site is accused, and what shares its wrapper of malloc is not.

    test_escalation.py PRELOAD VICTIM

Odds: two samples that have stayed are needed first; in 30 s, 7.3 are expected, and fewer than two come in the first 20 s once in 20:
tried three times.
"""

import os
import re
import subprocess
import sys

PRELOAD, VICTIM = map(os.path.abspath, sys.argv[1:3])


def lines_of_run():
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
    done = subprocess.run([VICTIM, "30", "4000"], capture_output=True, text=True, timeout=90, check=True,
                          env={**kept, "LD_PRELOAD": PRELOAD, "MEMWATCH_VERDICTS": "on", "MEMWATCH_EPOCH": "250ms"})
    return [line for line in done.stderr.splitlines() if "event=verdict" in line]


def main():
    for _ in range(3):
        lines = lines_of_run()
        accused = [line for line in lines if "class=leak_retained" in line]
        if accused:
            break
    print("\n".join(lines))
    if not accused:
        print("nothing was accused")
        return 1
    sites = {re.search(r"site=(\w+)", line).group(1) for line in accused}
    if len(sites) != 1:
        print(f"{len(sites)} sites were accused; one leaks")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
