# SPDX-License-Identifier: Apache-2.0
"""What the shared libraries export is exactly the list in exports/, and all of it is memwatch's.

    exported_symbols.py ROOT --library build/src/libmemwatch.so [--static build/src/libmemwatch.a] [--update] [--plants]

 1. Every dynamic symbol lies in memwatch::v1 (or is its type information), or is a C name that begins with memwatch_.
 2. The strong ones (functions and data; inline functions and templates come and go with the optimiser) equal
    exports/<library>.txt. A change is a decision: review it, then write the list anew with `ninja -C build update-exports`.
 3. Nothing that was ever listed under this SONAME is gone: programs that were linked against it would not start. exports/promised/ holds
    those names; update-exports adds to them, and a new soversion begins a new list. Until a version with the name was released, a line
    may be taken out by hand.
 4. The static library defines no strong symbol outside memwatch either: it must not collide with the user's names.
 5. libmemwatch asks for no destructor at exit (__cxa_atexit), as a local static with one does when it is first met: fork() copies the lock
    behind it as it is, so a forked child's worker could wait for ever, with a lock that the child's own next fork() needs. A static without
    a destructor, or one on the heap that stays, is fine.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, Tuple

from source_tree import plant, run

# What the demangler puts before the name of the thing it belongs to.
ABOUT = re.compile(r"^(?:typeinfo(?: name)?|vtable|VTT|guard variable|construction vtable|TLS (?:init|wrapper) function|(?:non-)?virtual thunk"
                   r"|covariant return thunk|reference temporary #\d+) (?:for|to) ")
settings = None


def defined(library: Path, dynamic: bool) -> List[Tuple[str, str]]:
    """(kind letter of nm, demangled name), sorted."""
    command = ["nm", "-C", "--defined-only", "--extern-only"] + (["-D"] if dynamic else []) + [str(library)]
    text = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    rows = re.findall(r"^[0-9a-f]+ ([A-Za-z]) (.+)$", text, re.MULTILINE)
    return sorted({(kind, re.sub(r"@@?\S+$", "", name).strip()) for kind, name in rows}, key=lambda row: row[1])


def is_ours(symbol: str) -> bool:
    """By the name of what is defined, not by its return type, template arguments or parameters."""
    name = ABOUT.sub("", symbol)
    while re.search(r"<[^<>]*>", name):
        name = re.sub(r"<[^<>]*>", "", name)
    name = name.split("(")[0].split(" operator ")[0].split("::operator")[0]
    return name.split(" ")[-1].startswith(("memwatch::v1::", "memwatch_"))


def list_file(root: Path) -> Path:
    return root / "tests/contract/exports" / (settings.library.name.split(".so")[0] + ".txt")


def strong(symbols) -> List[str]:
    return [name for kind, name in symbols if kind in "TDBRSG" and is_ours(name)]


def promises(root: Path) -> Path:
    told = subprocess.run(["readelf", "-d", "-W", str(settings.library)], text=True, capture_output=True, check=True).stdout
    return root / "tests/contract/exports/promised" / (re.search(r"\(SONAME\).*\[(.*)\]", told).group(1) + ".txt")


def broken_promises(root: Path, exported: List[str]) -> List[str]:
    listed = promises(root)
    if not listed.is_file():
        return [f"{listed.name} is not written: what {listed.stem} promises to the programs that are linked against it"]
    gone = sorted(set(listed.read_text(encoding="utf-8").splitlines()) - set(exported))
    return [f"{listed.stem} once exported {name}: programs that use it will not start; bring it back, or raise the soversion" for name in gone]


def asks_for_destructors(library: Path) -> bool:
    wanted = subprocess.run(["nm", "-D", "--undefined-only", str(library)], text=True, capture_output=True, check=True).stdout
    return re.search(r" __cxa_atexit\b", wanted) is not None


def check(root: Path) -> List[str]:
    symbols, listed = defined(settings.library, dynamic=True), list_file(root)
    complaints = [f"{settings.library.name} exports a name that is not ours: {name}" for _kind, name in symbols if not is_ours(name)]
    if not listed.is_file():
        print(f"{listed.name} is not written yet: the list is not compared")
        return complaints
    wanted = set(listed.read_text(encoding="utf-8").splitlines())
    complaints += [f"{settings.library.name} exports {name}, which {listed.name} does not list" for name in strong(symbols) if name not in wanted]
    complaints += [f"{settings.library.name} no longer exports {name}" for name in sorted(wanted - set(strong(symbols)))]
    complaints += broken_promises(root, strong(symbols))
    if settings.library.name.startswith("libmemwatch.so") and asks_for_destructors(settings.library):
        complaints.append(f"{settings.library.name} registers destructors: objdump -dC, calls of __cxa_atexit, says where")
    if settings.static:
        for kind, name in defined(settings.static, dynamic=False):
            if kind in "TDBRSG" and not is_ours(name):
                complaints.append(f"{settings.static.name} defines a name that is not ours: {name}")
    if complaints and not settings.plants:
        print("If this is meant: ninja -C <build> update-exports, and commit the list.")
    return complaints


def configure(arguments) -> None:
    global settings
    settings = arguments
    if arguments.update:
        names = strong(defined(arguments.library, dynamic=True))
        list_file(arguments.root).parent.mkdir(exist_ok=True)
        list_file(arguments.root).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        listed = promises(arguments.root)
        before = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
        listed.parent.mkdir(exist_ok=True)
        listed.write_text("".join(f"{name}\n" for name in sorted({*names, *before})), encoding="utf-8")
        print(f"{list_file(arguments.root)}: {len(names)} symbols")
        sys.exit(0)


def add_arguments(parser) -> None:
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--static", type=Path)
    parser.add_argument("--update", action="store_true")


def foreign_library_is_seen() -> None:
    """A library with the wrong names, built on the spot: the part of check() that plants in the tree cannot reach."""
    source = 'namespace memwatch { inline namespace v1 { __attribute__((visibility("default"))) int fine() { return 1; } struct plain {}; } }\n' \
             "namespace other { int leaked() { return 2; } template <class T> int of(T) { return 3; } template int of(memwatch::v1::plain); }\nextern \"C\" int memwatch_c() { return 3; }\n"
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "libplanted.so"
        subprocess.run(["g++", "-shared", "-fPIC", "-x", "c++", "-", "-o", str(library)], input=source, text=True, check=True)
        rows = defined(library, dynamic=True)
        foreign = [name for _kind, name in rows if not is_ours(name)]
        assert foreign == ["int other::of<memwatch::v1::plain>(memwatch::v1::plain)", "other::leaked()"], foreign
        assert strong(rows) == ["memwatch::v1::fine()", "memwatch_c"], strong(rows)
    print("ok: a foreign name in a library is seen")


def destructor_is_seen() -> None:
    source = "#include <string>\nconst std::string& planted() { static const std::string none; return none; }\n"
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "libplanted.so"
        subprocess.run(["g++", "-shared", "-fPIC", "-x", "c++", "-", "-o", str(library)], input=source, text=True, check=True)
        assert asks_for_destructors(library)
    print("ok: a local static with a destructor is seen")


PLANTS = [
    plant("a listed symbol that is gone is seen", "tests/contract/exports/{}.txt", "memwatch::v1::planted()\n", "no longer exports memwatch::v1::planted()"),
    plant("a symbol that programs were linked against is gone", "tests/contract/exports/promised/{}.so.0.txt", "memwatch::v1::planted()\n",
          "once exported memwatch::v1::planted(): programs that use it will not start; bring it back, or raise the soversion"),
]

if __name__ == "__main__":
    if "--plants" in sys.argv:
        foreign_library_is_seen()
        destructor_is_seen()
        name = next(Path(argument).name for flag, argument in zip(sys.argv, sys.argv[1:]) if flag == "--library").split(".so")[0]
        PLANTS = [p._replace(path=p.path.format(name)) for p in PLANTS]
    run(check, PLANTS, add_arguments, configure)
