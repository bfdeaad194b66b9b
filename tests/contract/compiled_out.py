# SPDX-License-Identifier: Apache-2.0
"""A program of the guide compiles, links and runs with -DMEMWATCH_DISABLE and without any library of memwatch.

C++17 and C++20, gcc and clang, all warnings as errors (a scope that nobody looks at must be no unused variable). In what comes
out there is no name of memwatch::v1. With --plants each program is linked without the define as well, which must fail: so the
test knows that it links nothing of memwatch.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Each with the oldest standard it is written in, and whether status 0 is what it ends with when nothing is counted.
PROGRAMS = [("examples/guide/settings.cpp", 17, True), ("tests/contract/compiled_out.cpp", 17, True), ("examples/guide/first_hour.cpp", 20, False),
            ("examples/guide/handoffs.cpp", 20, False)]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
CLANG_WITH_BOOST = ["-DBOOST_ASIO_HAS_CO_AWAIT", "-DBOOST_ASIO_HAS_STD_COROUTINE"]  # Boost 1.74 wants to be told


def build(compiler: str, standard: int, root: Path, headers: Path, program: str, out: Path, *more: str) -> subprocess.CompletedProcess:
    return subprocess.run([compiler, f"-std=c++{standard}", *WARNINGS, *(CLANG_WITH_BOOST if "clang" in compiler else []), *more, f"-I{root / 'include'}", f"-I{headers}", str(root / program),
                           "-o", str(out), "-pthread"], capture_output=True, text=True, check=False)


def complaints_of(compiler: str, standard: int, root: Path, headers: Path, program: str, ends_well: bool, scratch: Path):
    where = f"{program} ({compiler}, C++{standard})"
    out = scratch / "program"
    made = build(compiler, standard, root, headers, program, out, "-DMEMWATCH_DISABLE")
    if made.returncode != 0:
        return [f"{where}: does not build without memwatch: {made.stderr[:1500]}"]
    names = subprocess.run(["nm", "-C", str(out)], capture_output=True, text=True, check=True).stdout
    complaints = [f"{where}: has names of memwatch::v1"] if "memwatch::v1" in names else []
    ended = subprocess.run([str(out)], capture_output=True, text=True, timeout=60, check=False)
    if ended.returncode < 0 or (ends_well and ended.returncode != 0):
        complaints.append(f"{where}: ended with {ended.returncode}: {ended.stdout[:300]}")
    return complaints


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--plants", action="store_true")
    options = parser.parse_args()
    headers = options.build / "include"
    complaints = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for program, oldest, ends_well in PROGRAMS:
            if options.plants:
                if build("g++", 20, options.root, headers, program, scratch / "program").returncode == 0:
                    complaints.append(f"{program}: links without memwatch even when it is not compiled out")
                continue
            for compiler in filter(shutil.which, ("g++", "clang++")):
                for standard in (17, 20):
                    if standard >= oldest:
                        complaints += complaints_of(compiler, standard, options.root, headers, program, ends_well, scratch)
    print("\n".join(complaints + [f"{len(complaints)} complaint(s)"]))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
