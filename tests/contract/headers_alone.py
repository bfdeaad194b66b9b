# SPDX-License-Identifier: Apache-2.0
"""Each public header compiles alone, as C++17 and C++20, with g++ and clang++, and without a warning under strict flags.

    headers_alone.py ROOT --build BUILD [--compilers g++,clang++] [--plants] [--without-serve]

The flags are stricter than most users': a library header that warns in their build is a bug of ours.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List

from source_tree import plant, public_headers, run

FLAGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror", "-x", "c++"]
STANDARDS = ["c++17", "c++20"]
settings = None


def compile_alone(root: Path, compiler: str, standard: str, header: str) -> str:
    command = [compiler, f"-std={standard}", *FLAGS, f"-I{root / 'include'}", f"-I{settings.build / 'include'}", "-"]
    done = subprocess.run(command, input=f"#include <{header}>\n", text=True, capture_output=True)
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
    return f"{header} alone as {standard} with {compiler}: " + " | ".join(errors[:3])


def check(root: Path) -> List[str]:
    headers = [str(header.relative_to(root / "include")) for header in public_headers(root)]
    if settings.without_serve:
        headers = [header for header in headers if not header.startswith("memwatch/serve/")]
    if settings.plants:  # only what was planted: the real headers are the plain run's business
        headers = [header for header in headers if "planted" in header]
    jobs = [(root, compiler, standard, header) for header in headers for compiler in settings.compilers for standard in STANDARDS]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        complaints = [complaint for complaint in pool.map(lambda job: compile_alone(*job), jobs) if complaint]
    if not settings.plants:
        print(f"{len(headers)} headers x {len(STANDARDS)} standards x {len(settings.compilers)} compilers: {len(jobs)} compilations")
    return complaints


def configure(arguments) -> None:
    global settings
    settings = arguments
    wanted = arguments.compilers.split(",")
    settings.compilers = [compiler for compiler in wanted if shutil.which(compiler)]
    missing = [compiler for compiler in wanted if compiler not in settings.compilers]
    if missing:
        print(f"not installed, not checked: {', '.join(missing)}")
    if not settings.compilers:
        sys.exit(77)


def add_arguments(parser) -> None:
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--compilers", default="g++,clang++")
    parser.add_argument("--without-serve", action="store_true")


PLANTS = [
    plant("a header includes what it uses", "include/memwatch/planted.hpp", "#pragma once\nstd::string planted();\n", "planted.hpp alone as c++17 with g++"),
    plant("C++20 is not for public headers", "include/memwatch/planted.hpp", "#pragma once\n#include <span>\ninline int planted(std::span<int> s) { return s[0]; }\n", "alone as c++17"),
    plant("C++20 syntax neither", "include/memwatch/planted.hpp", "#pragma once\nstruct planted { int a; };\ninline planted make() { return {.a = 1}; }\n", "alone as c++17"),
    plant("a warning is an error", "include/memwatch/planted.hpp", "#pragma once\ninline int planted(long x) { return x; }\n", "planted.hpp alone as c++20"),
    plant("innocent", "include/memwatch/planted.hpp", "#pragma once\n#include <string>\ninline std::string planted() { return {}; }\n", None),
]

if __name__ == "__main__":
    run(check, PLANTS, add_arguments, configure)
