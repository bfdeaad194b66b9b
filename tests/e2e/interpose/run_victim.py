#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the victim under the preload object: over one allocator, in every mode, at several intervals and in full mode.

  run_victim.py --victim V --preload SO --foreign SO --allocator glibc|jemalloc|tcmalloc|mimalloc [--mode M]...

Ends with 0 when every run did, 77 with a reason when the allocator is not installed.
"""
import argparse
import os
import re
import subprocess
import sys

LIBRARIES = {"glibc": None, "jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc.so.4", "mimalloc": "libmimalloc.so.2"}
MODES = ["entries", "churn", "weights", "sparse", "turnover", "fork", "signals", "threads", "foreign", "dlopen", "hostile-host", "sandbox",
         "stacks",
         "shared"]
SETTINGS = {
    "each block a sample": {"MEMWATCH_INTERVAL": "1"},
    "R = 4 KiB": {"MEMWATCH_INTERVAL": "4KiB"},
    "R = 1 MiB": {"MEMWATCH_INTERVAL": "1MiB"},
    "one block in 20": {"MEMWATCH_SAMPLER": "one_in_n", "MEMWATCH_ONE_IN": "20"},
    "full": {"MEMWATCH_PRESET": "full"},
}
# What cannot be said of a run.
POINTLESS = {
    # They open files of /proc and /sys when they like.
    **{("sandbox", other): "opens files by itself" for other in ("jemalloc", "tcmalloc", "mimalloc")},
    ("sandbox", "full"): "full mode reads /proc/self/maps once a thread (docs/any-program.md)",
    ("stacks", "R = 1 MiB"): "too few samples to find a function by",
    # libc's free under RTLD_DEEPBIND is the right one for libc's blocks only.
    ("foreign", "jemalloc"): "crashes without memwatch, too",
    ("foreign", "tcmalloc"): "crashes without memwatch, too",
    ("foreign", "mimalloc"): "crashes without memwatch, too",
}


def library_path(name):
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(re.escape(name) + r" .*=> (\S+)", listing)
    return found.group(1) if found else None


def run(arguments, mode, variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MEMWATCH_", "LD_PRELOAD"))}
    environment.update(MEMWATCH_TARGET_SAMPLES="0", MEMWATCH_TARGET_OVERHEAD="0")  # the interval asked for, whatever it costs
    environment.update(variables)
    return subprocess.run([arguments.victim, mode, arguments.foreign], env=environment, capture_output=True, text=True, timeout=300)


def resident_kib(text):
    found = re.search(r"(?:sparse|turnover): (\d+) KiB", text)
    return int(found.group(1)) if found else None


# How much more may be resident than without memwatch: 16 MiB of tables and libraries, and
#   sparse     1 % of what an allocator touches that touches all it hands out
#   turnover   a 95 MB heap: 0.4 % at R = 1 MiB; at lower R the edge waste has a limit of half the budget, 8 MiB, beside as much
#              again and more that glibc leaves between aligned blocks (40 MiB seen); in full mode 20 bytes a block and an
#              eighth of the heap
def allowed_extra_kib(mode, setting, baseline):
    if mode == "sparse":
        return 8 * 1024 + baseline // 100
    return {"R = 1 MiB": 16 * 1024 + baseline // 250, "full": 16 * 1024 + baseline // 5}.get(setting, 48 * 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("victim", "preload", "foreign"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--allocator", choices=LIBRARIES, default="glibc")
    parser.add_argument("--mode", action="append", help="only this mode; may be repeated")
    arguments = parser.parse_args()

    library = LIBRARIES[arguments.allocator]
    under_test = {"LD_PRELOAD": arguments.preload}
    alone = {}
    if library:
        path = library_path(library)
        if path is None:
            print(f"skipped: {library} is not installed")
            return 77
        under_test = {"LD_PRELOAD": f"{arguments.preload} {path}", "VICTIM_ALLOCATOR": arguments.allocator}
        alone = {"LD_PRELOAD": path, "VICTIM_ALLOCATOR": arguments.allocator}

    failures = 0
    for mode in arguments.mode or MODES:
        is_measured = mode in ("sparse", "turnover")
        baseline = resident_kib(run(arguments, mode, alone).stdout) if is_measured else None
        for setting, variables in SETTINGS.items():
            reason = POINTLESS.get((mode, setting)) or POINTLESS.get((mode, arguments.allocator))
            if reason:
                print(f"   left out: {mode}, {setting}, {arguments.allocator}: {reason}")
                continue
            done = run(arguments, mode, {**under_test, **variables})
            if mode == "sandbox" and done.returncode == 77:
                print(f"   left out: {mode}, {setting}, {arguments.allocator}: {done.stdout.strip()}")
                continue
            problem = "" if done.returncode == 0 else f"status {done.returncode}"
            if is_measured and not problem:
                resident = resident_kib(done.stdout)
                print(f"   {mode}, {setting}, {arguments.allocator}: {resident} KiB resident, {baseline} without memwatch")
                if resident > baseline + allowed_extra_kib(mode, setting, baseline):
                    problem = f"{resident} KiB resident, {baseline} without memwatch"
            if mode != "hostile-host" and "memwatch level=" in done.stderr:
                problem = problem or "memwatch complained"
            if problem:
                failures += 1
                print(f"FAILED {mode}, {setting}, {arguments.allocator}: {problem}\n{done.stdout[-800:]}{done.stderr[-1500:]}")
    print(f"{failures} failure(s)")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
