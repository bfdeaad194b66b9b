# SPDX-License-Identifier: Apache-2.0
"""The tree as the contract tests see it, and the way they run.

A checker is a function `check(root) -> list of complaints` over a copy of the tree. Beside it stands a list of plants: small
files that break the rule (or look as if they did, and do not). `run()` does one of two things:

    checker.py ROOT            complaints about the real tree; exit 1 if there are any
    checker.py ROOT --plants   each plant is put into a temporary copy of the real tree; exit 1 unless exactly the expected
                               complaint appears. A checker that cannot fail is worth nothing.
"""

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

SOURCE_SUFFIXES = {".hpp", ".cpp", ".def", ".in"}


class plant(NamedTuple):
    why: str  # the rule, as a sentence
    path: str  # relative to the root; an existing file gets the text appended
    text: str
    expect: Optional[str]  # part of the complaint that must be new; None: no new complaint may appear
    beside: Dict[str, str] = {}  # further files the plant needs


def code_files(root: Path, *folders: str) -> List[Path]:
    """Sources of the library (or of the given folders), sorted."""
    files = []
    for folder in folders or ("include", "src"):
        files += [p for p in (root / folder).rglob("*") if p.is_file() and p.suffix in SOURCE_SUFFIXES and not p.name.endswith(".cmake.in")]
    return sorted(files)


def public_headers(root: Path) -> List[Path]:
    return sorted((root / "include" / "memwatch").rglob("*.hpp"))


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<delimiter>[^ ()\\\n]{0,16})\(.*?\)(?P=delimiter)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL
)


def without_comments(text: str, strings: bool = False) -> str:
    """Code only, line numbers kept. `strings` empties string and character literals too."""

    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", token)
        if strings:
            return re.sub(r"[^\n\"']", " ", token)
        return token

    # A digit separator (1'000) is not a character literal.
    return _TOKEN.sub(blank, re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F]{2,})", "_", text))


def comments_by_line(text: str) -> List[str]:
    """For each line the comment text on it ('' when there is none)."""
    lines = [""] * (text.count("\n") + 1)
    for match in _TOKEN.finditer(re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F]{2,})", "_", text)):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            first = text.count("\n", 0, match.start())
            for offset, part in enumerate(token.split("\n")):
                lines[first + offset] += part
    return lines


def includes(text: str):
    """(line number, spelling, is_angled) of each #include outside comments."""
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', line)
        if match:
            yield number, match.group(1) or match.group(2), match.group(1) is not None


def _copy_of(root: Path, into: Path) -> Path:
    for folder in ("include", "src", "docs", "examples", "tests/contract", "tests/golden/report"):
        shutil.copytree(root / folder, into / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for page in [*root.glob("*.md"), *(root / "subprojects").glob("*.md")]:
        target = into / page.relative_to(root)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(page, target)
    return into


def _try_plant(check: Callable, root: Path, planted: plant, before: List[str]) -> Optional[str]:
    with tempfile.TemporaryDirectory(prefix="memwatch-contract-") as folder:
        copy = _copy_of(root, Path(folder))
        for path, text in {planted.path: planted.text, **planted.beside}.items():
            target = copy / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "a", encoding="utf-8") as out:
                out.write(text)
        new = [complaint for complaint in check(copy) if complaint not in before]
    if planted.expect is None:
        return "complained about innocent code: " + "; ".join(new) if new else None
    if not any(planted.expect in complaint for complaint in new):
        return f"expected a complaint containing '{planted.expect}', got {new or 'none'}"
    return None


def run(check: Callable[[Path], List[str]], plants: List[plant], add_arguments=None, configure=None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--plants", action="store_true")
    if add_arguments:
        add_arguments(parser)
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    if configure:
        configure(arguments)
    complaints = check(root)
    if not arguments.plants:
        for complaint in complaints:
            print(complaint)
        print(f"{len(complaints)} complaint(s)")
        sys.exit(1 if complaints else 0)
    failures = 0
    for planted in plants:
        problem = _try_plant(check, root, planted, complaints)
        failures += problem is not None
        print(f"{'not ok' if problem else 'ok'}: {planted.why}" + (f": {problem}" if problem else ""))
    sys.exit(1 if failures or not plants else 0)
