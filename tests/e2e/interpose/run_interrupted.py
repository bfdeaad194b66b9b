#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program that ends inside a signal handler, often enough to meet memwatch at work: run_interrupted.py --preload SO PROGRAM"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

ROUNDS = 25  # of which some seven hung for the ten seconds that a dump may take, when the dump was waited for
LONGEST_S = 8


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preload", required=True)
    parser.add_argument("program")
    arguments = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as dumps:
        environment = {**os.environ, "LD_PRELOAD": arguments.preload, "MEMWATCH_DUMP_DIR": dumps, "MEMWATCH_INTERVAL": "4KiB",
                       "MEMWATCH_TARGET_SAMPLES": "0", "MEMWATCH_TARGET_OVERHEAD": "0"}
        for _ in range(ROUNDS):
            began = time.monotonic()
            status = subprocess.run([arguments.program], env=environment, timeout=60, check=False).returncode
            took = time.monotonic() - began
            if status != 7 or took > LONGEST_S:
                failures += 1
                print(f"FAILED: status {status} after {took:.1f} s")
                break
    print(f"{failures} failure(s)")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
