# SPDX-License-Identifier: Apache-2.0
"""S10's test, run as a user runs it: the good request passes, the bad one fails and its output says what leaked and where.

    s10_leaks_nothing.py PROGRAM
"""

import os
import subprocess
import sys

SAYS = ["1 object, 64 bytes", 'tag "order-cache"', "orders::order", "orders::remember_order", "orders::serve"]


def run(program: str, tags: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # what leaks here is the point
    return subprocess.run([program, tags], capture_output=True, text=True, timeout=150, env=environment)


def main(program: str) -> int:
    failures = []
    for repetition in range(10):
        passing, failing = run(program, "[passes]"), run(program, "[fails]")
        if passing.returncode != 0:
            failures.append(f"run {repetition}: the good request leaks:\n{passing.stdout}{passing.stderr}")
        if failing.returncode == 0:
            failures.append(f"run {repetition}: the bad request passes")
        missing = [text for text in SAYS if text not in failing.stdout]
        if missing:
            failures.append(f"run {repetition}: nothing of {missing} in\n{failing.stdout}{failing.stderr}")
        if failures:
            break
    repeats = run(program, "[repeats]")
    if repeats.returncode != 0:
        failures.append(f"a thousand times:\n{repeats.stdout[-2000:]}{repeats.stderr[-2000:]}")
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
