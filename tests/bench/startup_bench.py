#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a process pays for being started under memwatch: time from spawn to end of a program that does nothing, and memory.

  startup_bench.py --preload SO [--rounds N]

Plain and preloaded in turn; printed are medians, the median difference and its 10th and 90th percentile.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

PROGRAMS = {"C (/bin/true)": ["/bin/true"], "C, allocates (/bin/ls /)": ["/bin/ls", "/"], "C++ (apt-config)": ["apt-config", "--version"]}
SETTINGS = {"on": {}, "full": {"MEMWATCH_PRESET": "full"}, "off": {"MEMWATCH_PRESET": "off"}}


def milliseconds(command, environment):
    start = time.perf_counter()
    process = os.posix_spawnp(command[0], command, environment,
                              file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    os.waitpid(process, 0)
    return (time.perf_counter() - start) * 1e3


def resident_kib(environment):
    # bash reads its own status: a C program of some size.
    out = subprocess.run(["bash", "-c", "grep VmRSS /proc/$$/status"], env=environment, capture_output=True, text=True, check=True).stdout
    return int(out.split()[1])


def percentile(values, q):
    return sorted(values)[int(q * (len(values) - 1))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preload", required=True)
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MEMWATCH_", "LD_PRELOAD"))}
    under = {name: {**plain, "LD_PRELOAD": arguments.preload, **more} for name, more in SETTINGS.items()}
    for program, command in PROGRAMS.items():
        times = {name: [] for name in ("plain", *under)}
        for _ in range(arguments.rounds):
            times["plain"].append(milliseconds(command, plain))
            for name, environment in under.items():
                times[name].append(milliseconds(command, environment))
        line = f"{program:26} plain {statistics.median(times['plain']):.2f} ms"
        for name in under:
            added = [a - b for a, b in zip(times[name], times["plain"])]
            line += f"   {name} {statistics.median(added):+.2f} [{percentile(added, 0.1):+.2f} .. {percentile(added, 0.9):+.2f}]"
        print(line, flush=True)
    base = statistics.median(resident_kib(plain) for _ in range(9))
    print("resident (bash): plain %.0f KiB" % base, end="")
    for name, environment in under.items():
        print("   %s %+.0f KiB" % (name, statistics.median(resident_kib(environment) for _ in range(9)) - base), end="")
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
