#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an include costs the compiler: time of `g++ -O0 -c` of a file with nothing else, in turn, and the compiler's instructions.

  include_bench.py ROOT --build BUILD [--rounds N] [--no-instructions]

The first rows are what memwatch stands on: std headers alone, and tl::expected. Time is wall clock of the whole g++ command: median,
10th and 90th percentile of the rounds. Instructions are those of cc1plus on preprocessed text, by valgrind's lackey; they repeat to
1e-4 on a noisy machine.
"""
import argparse
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

STANDARD_HEADERS = ["atomic", "memory_resource", "string", "vector"]
ROWS = {
    "nothing": [],
    "<string>": ["string"],
    "the std headers of memwatch.hpp": STANDARD_HEADERS,
    "the same and <tl/expected.hpp>": STANDARD_HEADERS + ["tl/expected.hpp"],
    "<memwatch/memwatch.hpp>": ["memwatch/memwatch.hpp"],
    "<memwatch/serve/server.hpp>": ["memwatch/serve/server.hpp"],
}


def percentile(values, q):
    return sorted(values)[int(q * (len(values) - 1))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-instructions", action="store_true")
    arguments = parser.parse_args()
    flags = ["-O0", f"-I{arguments.root / 'include'}", f"-I{arguments.build / 'include'}"]
    compiler_proper = subprocess.run(["g++", "-print-prog-name=cc1plus"], capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="memwatch-include-") as name:
        folder = Path(name)
        files = {}
        for i, (row, headers) in enumerate(ROWS.items()):
            files[row] = folder / f"{i}.cpp"
            files[row].write_text("".join(f"#include <{header}>\n" for header in headers), encoding="utf-8")
        for standard in ("c++17", "c++20"):
            seconds = {row: [] for row in ROWS}
            for _ in range(arguments.rounds):
                for row, file in files.items():
                    begun = time.perf_counter()
                    subprocess.run(["g++", f"-std={standard}", *flags, "-c", file, "-o", folder / "out.o"], check=True)
                    seconds[row].append(time.perf_counter() - begun)
            print(f"{standard:<36} {'median':>8} {'p10':>7} {'p90':>7} {'cc1plus instructions':>22}")
            for row, file in files.items():
                count = ""
                if not arguments.no_instructions:
                    subprocess.run(["g++", f"-std={standard}", *flags, "-E", file, "-o", folder / "out.ii"], check=True)
                    counted = subprocess.run(["valgrind", "--tool=lackey", "--basic-counts=yes", compiler_proper, "-fpreprocessed", folder / "out.ii", "-quiet", "-O0",
                                              f"-std={standard}", "-o", folder / "out.s"], capture_output=True, text=True, check=True).stderr
                    count = re.search(r"guest instrs:\s+([\d,]+)", counted).group(1)
                times = [1000 * s for s in seconds[row]]
                print(f"  {row:<34} {statistics.median(times):6.0f} ms {percentile(times, 0.1):4.0f} ms {percentile(times, 0.9):4.0f} ms {count:>22}", flush=True)


main()
