#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What interposers add to an allocate+free pair: memwatch beside its peers, on the same work, in turn.

  heap_bench.py --workload-program W --preload SO [--rounds N] [--only NAME]... [--threads N] [--milliseconds N]

Each round starts every contender once, in an order that rotates; a figure is the median over rounds of (contender - its own
allocator without profiling), with the 10th and 90th percentile. A peer that is not installed is named and left out.
"""
import argparse
import glob
import os
import re
import shutil
import statistics
import subprocess
import sys

WORKLOADS = ["pair", "batch", "larson", "stacks"]


def library(name):
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(re.escape(name) + r" .*=> (\S+)", listing)
    return found.group(1) if found else None


def contenders(arguments):
    """name -> (base contender or None, environment, program)."""
    plain, leak = arguments.workload_program, arguments.leak_program
    memwatch = {"LD_PRELOAD": arguments.preload, "MEMWATCH_CONTROL": "off"}
    found = {
        "glibc": (None, {}, plain),
        **({"pass-through preload": ("glibc", {"LD_PRELOAD": arguments.pass_through}, plain)} if arguments.pass_through else {}),
        "memwatch off": ("glibc", {**memwatch, "MEMWATCH_PRESET": "off"}, plain),
        "memwatch R=1MiB": ("glibc", memwatch, plain),
        "memwatch R=512KiB": ("glibc", {**memwatch, "MEMWATCH_INTERVAL": "512KiB"}, plain),
        "memwatch full": ("glibc", {**memwatch, "MEMWATCH_PRESET": "full"}, plain),
    }
    if jemalloc := library("libjemalloc.so.2"):
        found["jemalloc"] = (None, {"LD_PRELOAD": jemalloc}, plain)
        found["jemalloc prof 2^19"] = ("jemalloc", {"LD_PRELOAD": jemalloc, "MALLOC_CONF": "prof:true,lg_prof_sample:19"}, plain)
        if arguments.slow:
            found["jemalloc prof, all"] = ("jemalloc", {"LD_PRELOAD": jemalloc, "MALLOC_CONF": "prof:true,lg_prof_sample:0"}, plain)
        found["memwatch R=512KiB on jemalloc"] = (
            "jemalloc", {**memwatch, "LD_PRELOAD": f"{arguments.preload} {jemalloc}", "MEMWATCH_INTERVAL": "512KiB"}, plain)
    if tcmalloc := library("libtcmalloc.so.4"):
        found["tcmalloc"] = (None, {"LD_PRELOAD": tcmalloc, "TCMALLOC_SAMPLE_PARAMETER": "0"}, plain)
        found["tcmalloc sampling 2^19"] = ("tcmalloc", {"LD_PRELOAD": tcmalloc, "TCMALLOC_SAMPLE_PARAMETER": "524288"}, plain)
        if arguments.slow:
            found["tcmalloc HEAPPROFILE"] = (
                "tcmalloc", {"LD_PRELOAD": tcmalloc, "HEAPPROFILE": f"/tmp/memwatch-bench-{os.getpid()}", "HEAP_PROFILE_ALLOCATION_INTERVAL": "0",
                             "HEAP_PROFILE_INUSE_INTERVAL": "0"}, plain)
    if heaptrack := glob.glob("/usr/lib/*/heaptrack/libheaptrack_preload.so") + glob.glob("/usr/lib/heaptrack/libheaptrack_preload.so"):
        found["heaptrack"] = ("glibc", {"LD_PRELOAD": heaptrack[0], "DUMP_HEAPTRACK_OUTPUT": "/dev/null"}, plain)
    if leak:
        found["LeakSanitizer"] = ("glibc", {"LSAN_OPTIONS": "detect_leaks=0"}, leak)
    for peer in ("jemalloc", "tcmalloc", "heaptrack"):
        if peer not in found:
            print(f"not installed, left out: {peer}")
    return found


def run(program, environment, workload, arguments):
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("MEMWATCH_", "LD_PRELOAD", "MALLOC_CONF"))}
    variables.update(environment)
    done = subprocess.run([program, workload, str(arguments.milliseconds), str(arguments.threads)], env=variables,
                          capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise SystemExit(f"{program} {workload} with {environment} ended with {done.returncode}: {done.stderr[-500:]}")
    return float(done.stdout.split()[0])


def clean_up():
    for left in glob.glob(f"/tmp/memwatch-bench-{os.getpid()}*"):
        os.remove(left)


def instructions(program, environment, workload):
    def total(pairs):
        out = f"/tmp/memwatch-heap-bench.{os.getpid()}"
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program, "count", workload, str(pairs)],
                              env={**os.environ, **environment}, capture_output=True, text=True, check=True)
        os.remove(out)
        return int(re.search(r"Collected : (\d+)", done.stderr).group(1))
    # Far above the bytes between two looks of a thread that is off, and both runs see whole looks.
    return (total(10 * 16384) - total(8 * 16384)) / (2 * 16384)


def percentile(values, q):
    values = sorted(values)
    return values[int(q * (len(values) - 1))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload-program", required=True)
    parser.add_argument("--leak-program", help="the same, built with -fsanitize=leak")
    parser.add_argument("--preload", required=True)
    parser.add_argument("--pass-through", help="a preload object that does nothing")
    parser.add_argument("--slow", action="store_true", help="also the peers that record every block by a profiler's means")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--milliseconds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="append", help="contenders whose name contains this")
    parser.add_argument("--workload", action="append", choices=WORKLOADS)
    parser.add_argument("--instructions", action="store_true", help="count them with callgrind instead")
    arguments = parser.parse_args()

    everyone = contenders(arguments)
    chosen = {n: c for n, c in everyone.items() if not arguments.only or any(o in n for o in arguments.only)}
    for base, _, _ in list(chosen.values()):
        if base:
            chosen[base] = everyone[base]

    for workload in arguments.workload or WORKLOADS:
        if arguments.instructions:
            if shutil.which("valgrind") is None:
                print("skipped: valgrind is not installed")
                return 77
            counts = {n: instructions(p, e, workload) for n, (_, e, p) in chosen.items() if n != "LeakSanitizer"}
            for name, count in counts.items():
                base = chosen[name][0]
                print(f"{workload:8} {name:30} {count:9.1f} instructions a pair" + (f"  {count - counts[base]:+8.1f}" if base else ""))
            continue
        times = {name: [] for name in chosen}
        order = list(chosen)
        for round_number in range(arguments.rounds):
            turn = round_number % len(order)
            for name in order[turn:] + order[:turn]:
                _, environment, program = chosen[name]
                times[name].append(run(program, environment, workload, arguments))
        print(f"{workload}: ns a pair, {arguments.rounds} rounds in turn, {arguments.threads} thread(s)")
        for name, (base, _, _) in chosen.items():
            line = f"  {name:30} {statistics.median(times[name]):9.2f}"
            if base:
                added = [a - b for a, b in zip(times[name], times[base])]
                ratio = statistics.median(a / b for a, b in zip(times[name], times[base]))
                line += f"  {statistics.median(added):+9.2f}  [{percentile(added, 0.1):+.2f} .. {percentile(added, 0.9):+.2f}]  {ratio:7.3f}x"
            print(line, flush=True)
    clean_up()
    return 0


if __name__ == "__main__":
    sys.exit(main())
