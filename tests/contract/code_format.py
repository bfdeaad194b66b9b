# SPDX-License-Identifier: Apache-2.0
"""clang-format has nothing to change (the root's .clang-format), and every name in a header is spelled as style.md says.

    code_format.py ROOT --build BUILD [--plants]

Naming is .clang-tidy's readability-identifier-naming over one translation unit that includes every header of include/ and src/;
the sources, and the slower checks, are `ninja -C build clang-tidy`. Exit 77 when clang-format or clang-tidy is not installed.
"""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import List

from source_tree import plant, run

FOLDERS = ["include", "src", "tests", "examples"]
settings = None


def formatted_files(root: Path) -> List[Path]:
    files = [p for folder in FOLDERS for p in sorted((root / folder).rglob("*")) if p.suffix in {".hpp", ".cpp"}]
    return [p for p in files if not settings.plants or "planted" in p.name]


def first_change(file: Path) -> int:
    """The first line clang-format would change, 0 for none. Its --dry-run is of no use: version 14 reports namespace comments
    that it then leaves as they are."""
    command = ["clang-format", f"--style=file:{settings.root / '.clang-format'}", str(file)]
    wanted = subprocess.run(command, text=True, capture_output=True, check=True).stdout.split("\n")
    lines = file.read_text(encoding="utf-8").split("\n")
    pairs = zip_longest(lines, wanted)
    return next((number for number, (line, want) in enumerate(pairs, 1) if line != want), 0)


def check_format(root: Path) -> List[str]:
    files = formatted_files(root)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        changes = zip(files, pool.map(first_change, files))
    names = [(str(file.relative_to(root)), line) for file, line in changes if line]
    return [f"{name}:{line}: clang-format would change this (clang-format -i {name})" for name, line in names]


def check_names(root: Path) -> List[str]:
    headers = sorted((root / "include").rglob("*.hpp")) + sorted((root / "src").rglob("*.hpp"))
    headers = [header for header in headers if settings.serve or "serve" not in header.parts]
    if settings.plants:
        headers = [header for header in headers if "planted" in header.name]
    if not headers:
        return []
    gathered = settings.build / ("planted_headers.cpp" if settings.plants else "all_headers.cpp")
    gathered.write_text("".join(f'#include "{header}"\n' for header in headers), encoding="utf-8")
    command = ["clang-tidy", "--quiet", f"--config-file={settings.root / '.clang-tidy'}", "--checks=-*,readability-identifier-naming",
               f"--header-filter={re.escape(str(root))}/(include|src)/", str(gathered), "--", "-std=c++20", "-w",
               f"-I{root / 'include'}", f"-I{root / 'src'}", f"-I{settings.build / 'include'}"]
    text = subprocess.run(command, text=True, capture_output=True).stdout
    found = sorted(set(re.findall(r"^(\S+?):(\d+):\d+: (?:error|warning): (.* \[readability-identifier-naming.*)$", text, re.MULTILINE)))
    return [f"{Path(file).relative_to(root)}:{line}: {what}" for file, line, what in found if Path(file).is_relative_to(root)]


def check(root: Path) -> List[str]:
    return check_format(root) + check_names(root)


def configure(arguments) -> None:
    global settings
    settings = arguments
    settings.root, settings.build = arguments.root.resolve(), arguments.build.resolve()
    for tool in ("clang-format", "clang-tidy"):
        if not shutil.which(tool):
            print(f"{tool} is not installed")
            sys.exit(77)


def add_arguments(parser) -> None:
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--without-serve", dest="serve", action="store_false")


_OPEN = "// SPDX-License-Identifier: Apache-2.0\n#pragma once\n// Planted.\n\n"
PLANTS = [
    plant("indentation", "src/base/planted.hpp", _OPEN + "inline int planted( int x ){\n  return x;}\n", "clang-format would change this"),
    plant("a type in capitals", "src/base/planted.hpp", _OPEN + "struct Planted {\n    int a;\n};\n", "invalid case style for struct 'Planted'"),
    plant("a function in camel case", "src/base/planted.hpp", _OPEN + "int plantedTree();\n", "invalid case style for function 'plantedTree'"),
    plant("private data without a trailing _", "src/base/planted.hpp",
          _OPEN + "class planted {\npublic:\n    int value() const { return bare; }\n\nprivate:\n    int bare{};\n};\n", "invalid case style for private member 'bare'"),
    plant("a template parameter in lower case", "src/base/planted.hpp", _OPEN + "template <class tree>\nstruct planted {};\n", "invalid case style for"),
    plant("innocent", "src/base/planted.hpp",
          _OPEN + "template <class Tree>\nclass planted {\npublic:\n    Tree value() const { return value_; }\n\nprivate:\n    Tree value_{};\n};\n", None),
]

if __name__ == "__main__":
    run(check, PLANTS, add_arguments, configure)
