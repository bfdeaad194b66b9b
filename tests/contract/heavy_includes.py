# SPDX-License-Identifier: Apache-2.0
"""What the hot rooms' headers drag into every file that allocates, measured on the preprocessor's real include tree.

    heavy_includes.py ROOT --build BUILD [--plants]

No header of capture/ or alloc/ may reach a heavy header, by whatever path; the complaint shows the path. The preprocessed size of
<memwatch/memwatch.hpp> is printed for the record.
"""

import re
import subprocess
from pathlib import Path
from typing import List

from source_tree import plant, public_headers, run

HOT_ROOMS = ["capture", "alloc"]
HEAVY = {"iostream", "fstream", "sstream", "iomanip", "functional", "regex", "map", "unordered_map", "future", "filesystem", "format", "locale"}
HEAVY_LIBRARIES = re.compile(r"/(fmt|boost|prometheus|rapidjson|protozero|CLI|catch2)/")
ALLOWED = set()  # "boost/...": a header of these libraries that a hot header may reach, with the reason beside it
settings = None


def include_tree(root: Path, header: str) -> List[List[str]]:
    """Each line of `g++ -H` as the chain of headers that leads to it, innermost last."""
    command = ["g++", "-std=c++20", "-E", "-H", f"-I{root / 'include'}", f"-I{root / 'src'}", f"-I{settings.build / 'include'}", "-x", "c++", "-", "-o", "/dev/null"]
    done = subprocess.run(command, input=f"#include <{header}>\n", text=True, capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"{header}: {done.stderr}")
    chain: List[str] = []
    chains = []
    for line in done.stderr.splitlines():
        match = re.match(r"(\.+) (.*)", line)
        if match:
            chain = chain[: len(match.group(1)) - 1] + [match.group(2)]
            chains.append(chain)
    return chains


def is_heavy(path: str) -> bool:
    if HEAVY_LIBRARIES.search(path):
        return not any(path.endswith(allowed) for allowed in ALLOWED)
    return "/c++/" in path and "/bits/" not in path and "/experimental/" not in path and Path(path).name in HEAVY


def shown(path: str) -> str:
    return re.sub(r"^.*/(include/(?=memwatch)|src/|c\+\+/\d+/|include/)", "", path)


def hot_headers(root: Path) -> List[str]:
    public = [str(header.relative_to(root / "include")) for header in public_headers(root) if header.parent.name in HOT_ROOMS]
    return public + [str(header.relative_to(root / "src")) for room in HOT_ROOMS for header in sorted((root / "src" / room).glob("*.hpp"))]


def check(root: Path) -> List[str]:
    complaints = []
    for header in hot_headers(root):
        if settings.plants and "planted" not in header:
            continue
        heavy = [chain for chain in include_tree(root, header) if is_heavy(chain[-1])]
        for chain in heavy[:1]:  # the first path is the one to cut; the rest usually goes with it
            complaints.append(f"{header} reaches <{shown(chain[-1])}>: " + " -> ".join(shown(step) for step in chain))
    return complaints


def configure(arguments) -> None:
    global settings
    settings = arguments
    if not arguments.plants:
        command = ["g++", "-std=c++20", "-E", "-P", f"-I{arguments.root / 'include'}", f"-I{arguments.build / 'include'}", "-x", "c++", "-"]
        text = subprocess.run(command, input="#include <memwatch/memwatch.hpp>\n", text=True, capture_output=True).stdout
        print(f"<memwatch/memwatch.hpp> preprocessed: {text.count(chr(10))} lines, {len(text) / 1e6:.2f} MB")


PLANTS = [
    plant("no <functional> in a hot header", "include/memwatch/capture/planted.hpp", "#include <functional>\n", "reaches <functional>"),
    plant("nor through another header of ours", "include/memwatch/alloc/planted.hpp", "#include <memwatch/base/planted.hpp>\n",
          "reaches <map>: memwatch/alloc/planted.hpp -> memwatch/base/planted.hpp -> map", {"include/memwatch/base/planted.hpp": "#include <map>\n"}),
    plant("nor through a standard header", "include/memwatch/alloc/planted.hpp", "#include <future>\n", "reaches <"),
    plant("no fmt", "src/capture/planted.hpp", "#include <fmt/core.h>\n", "reaches <fmt/core.h>"),
    plant("no Boost", "src/alloc/planted.hpp", "#include <boost/config.hpp>\n", "reaches <boost/"),
    plant("innocent: what allocators need", "include/memwatch/alloc/planted.hpp", "#include <atomic>\n#include <memory>\n#include <memory_resource>\n#include <string>\n#include <vector>\n", None),
]

if __name__ == "__main__":
    run(check, PLANTS, lambda parser: parser.add_argument("--build", type=Path, required=True), configure)
