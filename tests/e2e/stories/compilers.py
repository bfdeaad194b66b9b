# SPDX-License-Identifier: Apache-2.0
"""Coroutine programs at -O2 with each compiler that is installed, against the library of this build.

    compilers.py ROOT BUILD LIBRARY [--compilers g++,clang++,...]

What a compiler may do with thread-local addresses across a co_await is not the build's compiler's business alone. Boost 1.74
knows coroutines of clang only when two macros say so.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = {
    "tests/concurrency/coroutine_hops.cpp": [[]],
    "tests/e2e/stories/s5_requests.cpp": [["with-context"], ["without-adapter"]],
}
CLANG_WITH_BOOST = ["-DBOOST_ASIO_HAS_CO_AWAIT", "-DBOOST_ASIO_HAS_STD_COROUTINE"]


def build(settings, compiler: str, source: str, program: Path) -> None:
    command = [compiler, "-std=c++20", "-O2", "-Wall", "-Wextra", *(CLANG_WITH_BOOST if "clang" in compiler else []),
               f"-I{settings.root / 'include'}", f"-I{settings.build / 'include'}", str(settings.root / source), "-o", str(program),
               str(settings.library), f"-Wl,-rpath,{settings.library.parent}", "-pthread"]
    subprocess.run(command, check=True, timeout=300)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("build", type=Path)
    parser.add_argument("library", type=Path)
    parser.add_argument("--compilers", default="g++,clang++,clang++-16,clang++-19")
    settings = parser.parse_args()
    settings.library = settings.library.resolve()
    compilers = [compiler for compiler in settings.compilers.split(",") if shutil.which(compiler)]
    if not compilers:
        return 77
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for compiler in compilers:
            for source, runs in PROGRAMS.items():
                program = Path(folder) / f"{Path(source).stem}-{compiler}"
                build(settings, compiler, source, program)
                for arguments in runs:
                    done = subprocess.run([str(program), *arguments], timeout=150)
                    print(f"{compiler} {Path(source).stem} {' '.join(arguments)}: {'ok' if done.returncode == 0 else done.returncode}",
                          flush=True)
                    failures += done.returncode != 0
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
