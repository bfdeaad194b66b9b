# SPDX-License-Identifier: Apache-2.0
"""What `meson install` puts down is complete, and nothing of the machine that built it is in it.

    installed_tree.py --source ROOT --build BUILD

 1. Headers: exactly the public ones, and version.hpp. Beside them the libraries of both kinds with their links and descriptions, the
    preload and attach objects, the command, the licence.
 2. SONAME libmemwatch*.so.<major>; what is loaded with a library is on a short list; no RPATH but $ORIGIN.
 3. Each shared library exports memwatch's names, the doors besides the allocator's, and nothing else.
 4. No path of the source or build folder in any file, and no prefix in a description.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, Set

import installed

RUNTIME = {"libstdc++", "libm", "libgcc_s", "libc", "ld-linux-x86-64", "ld-linux-aarch64"}
CORE = RUNTIME | {"libfmt", "libz"}
NEEDS = {"libmemwatch": CORE, "libmemwatch-serve": CORE | {"libmemwatch", "libprometheus-cpp-core"}, "libmemwatch-new": RUNTIME | {"libmemwatch"},
         "libmemwatch-preload": RUNTIME | {"libmemwatch"}, "libmemwatch-attach": RUNTIME | {"libmemwatch"}}
DOORS = {"libmemwatch-new", "libmemwatch-preload", "libmemwatch-attach"}
# malloc's family under all its names, C++'s operators, and what the preload object follows a process by.
DOOR_NAMES = re.compile(r"_Zn[wa]\w+|_Zd[la]\w+|(re)?(c|m)?alloc|reallocarray|c?free|memalign|aligned_alloc|posix_memalign|p?valloc|malloc_usable_size|free_(aligned_)?sized"
                        r"|[sdr]d?allocx|tc_\w+|_exit|_Exit|exit|quick_exit|__libc_start_main|abort|dlclose|pthread_create|memwatch_\w+")
OURS = re.compile(r"_ZT[ISV]?N?[KR]?N?8memwatch2v1\w+|_Z(N|NK|GV|GR|TC|Tv|Th)*(N|St)?\w*8memwatch2v1\w+|memwatch_\w+")


def output(*command: str) -> str:
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def headers(tree: installed.Tree, source: Path) -> List[str]:
    public = source / "include" / "memwatch"
    wanted = {path.relative_to(public).as_posix() for path in public.rglob("*") if path.suffix in (".hpp", ".def")} | {"version.hpp"}
    if not tree.serves:
        wanted = {name for name in wanted if not name.startswith("serve/")}
    root = tree.prefix / "include" / "memwatch"
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}
    strangers = [path for path in (tree.prefix / "include").iterdir() if path.name != "memwatch"]
    return [f"include/memwatch/{name} is {'missing' if name in wanted else 'nothing public'}" for name in sorted(wanted ^ found)] + \
           [f"{path} has no place in include/" for path in strangers]


def linked_libraries(tree: installed.Tree) -> List[str]:
    return ["libmemwatch", "libmemwatch-new"] + (["libmemwatch-serve"] if tree.serves else [])


def files(tree: installed.Tree) -> List[str]:
    libraries = {f"{name}.so{end}" for name in linked_libraries(tree) for end in ("", ".0", f".{tree.version}")}
    libraries |= {"libmemwatch-preload.so", "libmemwatch-attach.so", "libmemwatch.a"} | ({"libmemwatch-serve.a"} if tree.serves else set())
    found = {path.name for path in tree.libraries.iterdir() if not path.is_dir()}
    complaints = [f"{name} is {'missing' if name in libraries else 'not expected'} in {tree.libraries.name}" for name in sorted(libraries ^ found)]
    others = [f"lib/**/pkgconfig/{name[3:]}.pc" for name in linked_libraries(tree)]
    others += ["lib/**/cmake/memwatch/memwatchConfig.cmake", "lib/**/cmake/memwatch/memwatchConfigVersion.cmake", "share/doc/memwatch/LICENSE"]
    if (tree.prefix / "bin" / "memwatch").exists():  # what a shell and man(1) find of it
        others += ["share/man/man1/memwatch.1", "share/bash-completion/completions/memwatch.bash", "share/zsh/site-functions/_memwatch",
                   "share/fish/vendor_completions.d/memwatch.fish"]
    complaints += [f"no {name}" for name in others if not list(tree.prefix.glob(name))]
    for name in linked_libraries(tree):
        for link, to in ((f"{name}.so", f"{name}.so.0"), (f"{name}.so.0", f"{name}.so.{tree.version}")):
            if not (tree.libraries / link).is_symlink() or os.readlink(tree.libraries / link) != to:
                complaints.append(f"{link} is no link to {to}")
    return complaints


def dynamic_section(library: Path, tag: str) -> Set[str]:
    return set(re.findall(rf"\({tag}\).*\[(.*)\]", output("readelf", "-d", "-W", str(library))))


def shared_library(path: Path, is_versioned: bool) -> List[str]:
    name = path.name.split(".so")[0]
    soname = f"{name}.so.0" if is_versioned else f"{name}.so"
    complaints = []
    if dynamic_section(path, "SONAME") != {soname}:
        complaints.append(f"{path.name}: SONAME {dynamic_section(path, 'SONAME')}, not {soname}")
    foreign = {needed for needed in dynamic_section(path, "NEEDED") if needed.split(".so")[0] not in NEEDS[name]}
    if foreign:
        complaints.append(f"{path.name} brings {sorted(foreign)} into every program")
    for symbol in re.findall(r"^[0-9a-f]+ [A-Za-z] (\S+)$", output("nm", "-D", "--defined-only", str(path)), re.MULTILINE):
        plain = symbol.split("@")[0]
        if not (DOOR_NAMES if name in DOORS else OURS).fullmatch(plain):
            complaints.append(f"{path.name} exports {plain}")
    return complaints


def run_paths(path: Path) -> List[str]:
    told = dynamic_section(path, "RPATH") | dynamic_section(path, "RUNPATH")
    return [f"{path.name} looks for libraries in {place}" for places in told for place in places.split(":") if place != "$ORIGIN"]


def traces(tree: installed.Tree, source: Path, build: Path) -> List[str]:
    complaints = []
    for path in sorted(tree.prefix.rglob("*")):
        if path.is_dir() or path.is_symlink():
            continue
        content = path.read_bytes()
        for place in (source, build):
            if str(place).encode() + b"/" in content:
                complaints.append(f"{path.relative_to(tree.prefix)} names {place}")
        if path.suffix in (".pc", ".cmake") and re.search(rb"(?m)^[^#]*(=|\")/", content):
            complaints.append(f"{path.name} holds an absolute path: it cannot be moved")
    return complaints


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memwatch-install-") as folder:
        tree = installed.install(arguments.build, Path(folder))
        complaints = headers(tree, arguments.source) + files(tree)
        for library in sorted(tree.libraries.glob("libmemwatch*.so*")):
            if not library.is_symlink():
                complaints += shared_library(library, library.name.endswith(tree.version)) + run_paths(library)
        for program in (tree.prefix / "bin").glob("*"):
            complaints += run_paths(program)
        complaints += traces(tree, arguments.source, arguments.build)
    print("\n".join(complaints) or "ok")
    sys.exit(1 if complaints else 0)


main()
