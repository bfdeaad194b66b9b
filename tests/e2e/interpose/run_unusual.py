#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs programs with a malloc, operators or addresses of their own under the preload object.

  run_unusual.py --preload SO [--says TEXT] PROGRAM
"""
import argparse
import os
import subprocess
import sys
import tempfile

SETTINGS = [{"MEMWATCH_INTERVAL": "1"}, {"MEMWATCH_INTERVAL": "64KiB"}, {"MEMWATCH_PRESET": "full"}]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preload", required=True)
    parser.add_argument("--says", default="", help="what memwatch must complain of; otherwise it must not complain")
    parser.add_argument("program")
    arguments = parser.parse_args()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MEMWATCH_", "LD_PRELOAD"))}
    failures = 0
    for setting in [None, *SETTINGS]:
        variables = {} if setting is None else {"LD_PRELOAD": arguments.preload, "MEMWATCH_TARGET_SAMPLES": "0", **setting}
        with tempfile.TemporaryDirectory() as dumps:  # written at the end: the records must be sane, too
            variables["MEMWATCH_DUMP_DIR"] = dumps
            done = subprocess.run([arguments.program], env={**clean, **variables}, capture_output=True, text=True, timeout=120)
            if setting is not None and len(os.listdir(dumps)) != 1:
                failures += 1
                print(f"FAILED {setting}: no dump")
        complaints = [line for line in done.stderr.splitlines() if "memwatch level=" in line]
        is_as_expected = setting is None or (
            any(arguments.says in line for line in complaints) if arguments.says else not complaints)
        if done.returncode != 0 or not is_as_expected:
            failures += 1
            print(f"FAILED {setting}: status {done.returncode}\n{done.stderr[-1500:]}")
    print(f"{failures} failure(s)")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
