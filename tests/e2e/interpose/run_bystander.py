#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs linked to jemalloc, tcmalloc or mimalloc, with libc's malloc preloaded before it: memwatch keeps to libc's heap.

  run_bystander.py --preload SO PROGRAM...        each linked to one allocator
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

SETTINGS = [{"MEMWATCH_INTERVAL": "1"}, {"MEMWATCH_INTERVAL": "64KiB"}, {"MEMWATCH_PRESET": "full"}, {"MEMWATCH_PRESET": "off"}]


def path_of_libc():
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    return re.search(r"^\s*libc\.so\.6 .*x86-64.*=> (\S+)", listing, re.M).group(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preload", required=True)
    parser.add_argument("programs", nargs="*")
    arguments = parser.parse_args()
    if not arguments.programs:
        print("SKIPPED: none of jemalloc, tcmalloc, mimalloc can be linked here")
        return 77
    libc = path_of_libc()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MEMWATCH_", "LD_PRELOAD"))}
    failures = 0
    for program in arguments.programs:
        runs = [([program], {"LD_PRELOAD": libc})]
        runs += [([program, "operators"], {"LD_PRELOAD": f"{arguments.preload}:{libc}", "MEMWATCH_TARGET_SAMPLES": "0", **setting})
                 for setting in SETTINGS]
        for command, variables in runs:
            with tempfile.TemporaryDirectory() as dumps:
                variables["MEMWATCH_DUMP_DIR"] = dumps
                done = subprocess.run(command, env={**clean, **variables}, capture_output=True, text=True, timeout=120)
            if done.returncode != 0 or done.stdout != "fine\n" or "level=warning" in done.stderr:
                failures += 1
                print(f"FAILED {command} {variables}: status {done.returncode}\n{done.stderr[-1500:]}")
    print(f"{len(arguments.programs)} program(s), {failures} failure(s)")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
