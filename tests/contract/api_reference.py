# SPDX-License-Identifier: Apache-2.0
"""The API reference, made by Doxygen from the public headers without a warning.

    api_reference.py ROOT [--plants]     complaints: each of Doxygen's warnings; each type, function or enumeration of namespace
                                         memwatch that no comment documents (members may go by their names)
    api_reference.py ROOT --into DIR     writes DIR/html

Exit 77: doxygen is not installed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List

from source_tree import plant, run

# What Doxygen says of members, and of macros: their names have to do.
BY_ITS_NAME = re.compile(r"is not documented\.$")
MUST_HAVE_WORDS = re.compile(r"(\((?:function|enumeration|typedef|variable)\) of namespace memwatch|Compound memwatch::v1::\w+) is not documented")


def run_doxygen(root: Path, into: Path, is_published: bool) -> List[str]:
    into.mkdir(parents=True, exist_ok=True)
    # Everything is shown; asked about what is undocumented, Doxygen must be told not to show it.
    environment = {**os.environ, "MEMWATCH_SOURCE": str(root), "MEMWATCH_API": str(into), "MEMWATCH_EXTRACT_ALL": "YES" if is_published else "NO"}
    done = subprocess.run(["doxygen", str(root / "docs/api/Doxyfile")], env=environment, text=True, capture_output=True)
    said = [line.replace(str(root) + "/", "") for line in done.stderr.split("\n") if line.strip()]
    return said + ([] if done.returncode == 0 else [f"doxygen ended with {done.returncode}"])


def check(root: Path) -> List[str]:
    with tempfile.TemporaryDirectory(prefix="memwatch-api-") as folder:
        said = run_doxygen(root, Path(folder), is_published=False)
        pages = len(list(Path(folder).glob("html/*.html")))
    complaints = [line for line in said if not BY_ITS_NAME.search(line) or MUST_HAVE_WORDS.search(line)]
    return complaints + ([] if pages > 20 else [f"only {pages} pages came out"])


_HEADER = "// SPDX-License-Identifier: Apache-2.0\n#pragma once\n// Planted.\n\nnamespace memwatch {\ninline namespace v1 {\n\n"
_END = "\n}  // namespace v1\n}  // namespace memwatch\n"
PLANTS = [
    plant("a function is documented", "include/memwatch/model/planted.hpp", _HEADER + "int planted();\n" + _END, "planted"),
    plant("a second type is documented", "include/memwatch/model/planted.hpp", _HEADER + "struct planted_a {\n    int x;\n};\n\nstruct planted_b {\n    int x;\n};\n" + _END, "planted_b"),
    plant("a link leads somewhere", "docs/api/mainpage.md", "\\ref planted_nowhere\n", "planted_nowhere"),
    plant("innocent: a documented function", "include/memwatch/model/planted.hpp", _HEADER + "// Returns one.\nint planted_one();\n" + _END, None),
]


if __name__ == "__main__":
    if shutil.which("doxygen") is None:
        print("doxygen is not installed")
        sys.exit(77)
    if "--into" in sys.argv:
        complaints = run_doxygen(Path(sys.argv[1]).resolve(), Path(sys.argv[3]), is_published=True)
        print("\n".join(line for line in complaints if not BY_ITS_NAME.search(line)))
        sys.exit(0)
    run(check, PLANTS)
