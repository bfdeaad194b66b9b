# SPDX-License-Identifier: Apache-2.0
"""Reads every #include under include/ and src/ against layering_table.py.

Complains about: an include that its room's row does not allow, a third-party or operating-system header outside its wall, an
include that resolves to nothing, a folder that is no room, a cycle between rooms, and an exception that is no longer needed.
"""

from fnmatch import fnmatch
from pathlib import Path
from typing import Dict, List, Optional, Set

import layering_table as table
from source_tree import code_files, includes, plant, run

# Headers of the C++ standard library, C++20. A header with no slash and no dot that is not here is a typo or a new standard.
STANDARD = set(
    """algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes climits clocale
    cmath compare complex concepts condition_variable coroutine csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime
    cuchar cwchar cwctype deque exception execution filesystem format forward_list fstream functional future initializer_list iomanip
    ios iosfwd iostream istream iterator latch limits list locale map memory memory_resource mutex new numbers numeric optional
    ostream queue random ranges ratio regex scoped_allocator semaphore set shared_mutex source_location span sstream stack stdexcept
    stop_token streambuf string string_view syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map
    unordered_set utility valarray variant vector version""".split()
)


def room_of(path: str) -> Optional[str]:
    parts = Path(path).parts
    inner = parts[2:] if parts[0] == "include" else parts[1:]
    if len(inner) > 1:
        return inner[0]
    if parts[0] == "src":
        return "runtime"
    return table.PLACED.get(inner[0], "face")


def resolve(root: Path, including: Path, spelling: str, angled: bool) -> Optional[str]:
    """The file of ours an include means, relative to the root; None when it is not ours."""
    places = [root / "include", root / "src"] if angled else [including.parent, root / "src", root / "include"]
    for place in places:
        for candidate in (place / spelling, place / (spelling + ".in")):
            if candidate.is_file():
                return str(candidate.resolve().relative_to(root))
    return None


def third_party(spelling: str) -> Optional[str]:
    matches = [prefix for prefix in table.THIRD_PARTY if spelling.startswith(prefix)]
    return table.THIRD_PARTY[max(matches, key=len)] if matches else None


def excused(file: str, what: str, used: Set[int]) -> bool:
    for index, (pattern, target, _why) in enumerate(table.EXCEPTIONS):
        if fnmatch(file, pattern) and fnmatch(what, target):
            used.add(index)
            return True
    return False


def complaint_about(root: Path, file: Path, spelling: str, angled: bool, graph: Dict[str, Set[str]], used: Set[int]) -> Optional[str]:
    name = str(file.relative_to(root))
    room = room_of(name)
    ours = resolve(root, file, spelling, angled)
    if ours is not None:
        target = room_of(ours)
        graph.setdefault(room, set()).add(target)
        if target == room or target in table.ROOMS.get(room, set()) or excused(name, ours, used):
            return None
        return f"room '{room}' may not include room '{target}' ({ours})"
    if not angled or spelling.startswith("memwatch/"):
        return f"{spelling} is not a file of this tree"
    library = third_party(spelling)
    if library is not None:
        allowed = library in table.WALLS.get(room, set()) or excused(name, f"<{spelling}>", used)
        return None if allowed else f"room '{room}' may not use {library} ({spelling})"
    if spelling in STANDARD or room in table.OPERATING_SYSTEM or excused(name, f"<{spelling}>", used):
        return None
    return f"operating-system header <{spelling}> outside platform (room '{room}')"


def cycles(graph: Dict[str, Set[str]], what: str) -> List[str]:
    found = []
    state: Dict[str, int] = {}

    def visit(room, path):
        state[room] = 1
        for target in sorted(graph.get(room, ())):
            if target == room:
                continue
            if state.get(target) == 1:
                found.append(f"{what}: cycle between rooms: " + " -> ".join(path[path.index(target):] + [target]))
            elif target not in state:
                visit(target, path + [target])
        state[room] = 2

    for room in sorted(graph):
        if room not in state:
            visit(room, [room])
    return found


def check(root: Path) -> List[str]:
    complaints, used = [], set()
    graph: Dict[str, Set[str]] = {}
    for folder in (root / "src", root / "include" / "memwatch"):
        for entry in sorted(folder.iterdir()):
            if entry.is_dir() and entry.name not in table.ROOMS:
                complaints.append(f"{entry.relative_to(root)}/: no such room in layering_table.py")
    for file in code_files(root):
        for line, spelling, angled in includes(file.read_text(encoding="utf-8")):
            problem = complaint_about(root, file, spelling, angled, graph, used)
            if problem:
                complaints.append(f"{file.relative_to(root)}:{line}: {problem}")
    complaints += cycles(table.ROOMS, "layering_table.py") + cycles(graph, "includes")
    for index, (pattern, target, _why) in enumerate(table.EXCEPTIONS):
        if index not in used:
            complaints.append(f"layering_table.py: the exception {pattern} -> {target} is no longer needed")
    return complaints


PLANTS = [
    plant("a lower room may not look up", "src/base/planted.cpp", "#include <memwatch/model/snapshot.hpp>\n", "room 'base' may not include room 'model'"),
    plant("two rooms meet in runtime only", "src/live/planted.cpp", "#include <memwatch/snapshot/codec.hpp>\n", "room 'live' may not include room 'snapshot'"),
    plant("the CLI never links the live path", "src/cli/planted.cpp", '#include "capture/planted.hpp"\n', "capture/planted.hpp is not a file of this tree"),
    plant("serve sees no runtime", "src/serve/planted.cpp", '#include "../core.cpp"\n', "room 'serve' may not include room 'runtime'"),
    plant("third-party walls: fmt", "src/capture/planted.cpp", "#include <fmt/core.h>\n", "room 'capture' may not use fmt"),
    plant("third-party walls: Beast", "src/report/planted.cpp", "#include <boost/beast/http.hpp>\n", "room 'report' may not use boost.beast"),
    plant("third-party walls: another Boost", "src/base/planted.cpp", "#  include <boost/format.hpp>\n", "room 'base' may not use boost (other)"),
    plant("the kernel is platform's", "src/model/planted.cpp", "#include <sys/mman.h>\n", "operating-system header <sys/mman.h>"),
    plant("every folder is a room", "src/misc/planted.cpp", "\n", "src/misc/: no such room"),
    plant("an include must exist", "src/model/planted.cpp", '#include "nowhere.hpp"\n', "nowhere.hpp is not a file"),
    plant("a cycle is found even through an exception-free row", "include/memwatch/base/planted.hpp",
          "#include <memwatch/model/snapshot.hpp>\n", "includes: cycle between rooms"),
    plant("an exception for system headers is none for rooms", "src/snapshot/file.cpp", '#include "live/planted.hpp"\n',
          "room 'snapshot' may not include room 'live'", {"src/live/planted.hpp": "#pragma once\n"}),
    plant("innocent: own room, allowed rooms, std, commented-out includes", "src/model/planted.cpp",
          "#include <vector>\n#include <memwatch/base/result.hpp>\n#include <memwatch/model/delta.hpp>\n// #include <fmt/core.h>\n/*\n#include <fmt/core.h>\n*/\n", None),
    plant("innocent: Lockfree in base, zlib in snapshot", "src/snapshot/planted.cpp", "#include <zlib.h>\n#include <protozero/pbf_writer.hpp>\n", None),
]

if __name__ == "__main__":
    run(check, PLANTS)
