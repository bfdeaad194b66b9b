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

from source_tree import includes, plant, public_headers, run

HOT_ROOMS = ["capture", "alloc"]
HEAVY = {"iostream", "fstream", "sstream", "iomanip", "functional", "regex", "map", "unordered_map", "future", "filesystem", "format", "locale"}
HEAVY_LIBRARIES = re.compile(r"/(fmt|boost|prometheus|rapidjson|protozero|CLI|catch2)/")
# A header that may bring heavy ones along, and why.
ALLOWED_THROUGH = {
    "/tl/expected.hpp": "result<T> is how everything answers; its <functional> costs about 60 ms an include (of 590 ms for tracked_allocator.hpp)",
}
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


def is_heavy(chain: List[str]) -> bool:
    path = chain[-1]
    if any(step.endswith(allowed) for step in chain[:-1] for allowed in ALLOWED_THROUGH):
        return False
    if HEAVY_LIBRARIES.search(path):
        return True
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
        chains = include_tree(root, header)
        # A header that was read before is not entered again, so what ours name themselves is read from their text.
        named = [chain + [f"/c++/0/{spelling}"] for chain in chains if str(root) in chain[-1]
                 for _line, spelling, _angled in includes(Path(chain[-1]).read_text(encoding="utf-8")) if spelling in HEAVY]
        heavy = [chain for chain in chains + named if is_heavy(chain)]
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
    plant("what one header may bring along, another may not", "include/memwatch/capture/planted.hpp",
          "#include <functional>\n#include <memwatch/base/result.hpp>\n", "reaches <functional>: memwatch/capture/planted.hpp -> functional"),
    plant("nor after it", "include/memwatch/capture/planted.hpp",
          "#include <memwatch/base/result.hpp>\n#include <functional>\n", "reaches <functional>: memwatch/capture/planted.hpp -> functional"),
    plant("no fmt", "src/capture/planted.hpp", "#include <fmt/core.h>\n", "reaches <fmt/core.h>"),
    plant("no Boost", "src/alloc/planted.hpp", "#include <boost/config.hpp>\n", "reaches <boost/"),
    plant("innocent: what allocators need", "include/memwatch/alloc/planted.hpp", "#include <atomic>\n#include <memory>\n#include <memory_resource>\n#include <string>\n#include <vector>\n", None),
]

if __name__ == "__main__":
    run(check, PLANTS, lambda parser: parser.add_argument("--build", type=Path, required=True), configure)
