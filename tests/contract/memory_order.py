# SPDX-License-Identifier: Apache-2.0
"""Every atomic access says which order it needs and why.

The rules, for include/ and src/ (files that mention std::atomic, atomic_ref, atomic_flag, a fence or __atomic_*):
 1. An access by member function or fence names its order: `x_.load(std::memory_order_acquire)`, never `x_.load()`.
 2. No access through operators (`++x_`, `x_ = 1`, `x_ += 1`): they are seq_cst without saying so. Checked for the names that the
    file or its header declares as std::atomic.
 3. An order other than relaxed has a comment on its lines or in the 4 lines before that names the partner: "pairs with ...",
    "paired with ...", "synchronizes with ...", "partner: ...", or for seq_cst "total order". One comment may cover a run of
    accesses within those lines.
 4. A relaxed access is covered by a comment with the word "relaxed" that says why nothing is published: in the opening comment
    of the file (then it speaks for the whole file), or on its lines or in the 25 lines before it.
A macro or a template that forwards an order (`order`, `std::memory_order order`) names it at its callers.
"""

import re
from pathlib import Path
from typing import List, Set, Tuple

from source_tree import code_files, comments_by_line, plant, run, without_comments

CONCERNS = re.compile(r"std::atomic|\batomic_(ref|flag)\b|__atomic_|atomic_thread_fence|atomic_signal_fence")
ACCESS = re.compile(
    r"(?:(?:\.|->)\s*(load|store|exchange|compare_exchange_weak|compare_exchange_strong|fetch_add|fetch_sub|fetch_or|fetch_and|"
    r"fetch_xor|test_and_set)|\b(atomic_thread_fence|atomic_signal_fence|__atomic_[a-z_]+))\s*\("
)
FLAG_CLEAR = re.compile(r"\b(\w+)\s*(?:\.|->)\s*(clear|test|wait)\s*\(")
DECLARED = re.compile(r"\bstd::atomic(?:_flag\b|\s*<(?:[^<>;]|<(?:[^<>;]|<[^<>;]*>)*>)*>)\s*(?:&\s*)?(\w+)\s*(?=[;{=\[(,)])")
PLAIN = re.compile(r"\b(?!return\b|else\b|case\b)[\w>]+[&*]?\s+[&*]?(\w+)\s*[;{=,)]")
ORDER = re.compile(r"memory_order(?:_|::)(\w+)|__ATOMIC_([A-Z_]+)|\b(order|success|failure)\b")
PARTNER = re.compile(r"pair(s|ed|ing)? with|synchroni[sz]es? with|partners?\b|total order|both sides", re.IGNORECASE)
PARTNER_LINES = 4
RELAXED_LINES = 25


def argument_span(code: str, opening: int) -> int:
    depth = 0
    for position in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[position], 0)
        if depth == 0:
            return position
    return len(code) - 1


def opening_comment(comments: List[str], code_lines: List[str]) -> str:
    head = []
    for comment, code in zip(comments, code_lines):
        if code.strip() and not code.strip().startswith("#pragma once"):
            break
        head.append(comment)
    return "\n".join(head)


def accesses(code: str, names: Set[str]) -> List[Tuple[int, int, str]]:
    found = [(m.start(), m.end() - 1, m.group(1) or m.group(2)) for m in ACCESS.finditer(code)]
    found += [(m.start(), m.end() - 1, m.group(2)) for m in FLAG_CLEAR.finditer(code) if m.group(1) in names]
    return sorted(found)


def orders_in(arguments: str) -> Set[str]:
    return {(m.group(1) or m.group(2) or m.group(3)).lower() for m in ORDER.finditer(arguments)}


def operator_accesses(code: str, names: Set[str]):
    for name in sorted(names):
        pattern = rf"(?:\+\+|--)\s*(?:\w+(?:\.|->))*{name}\b(?!\s*[.\-\[(])|(?<![\w>&*]\s)\b{name}\s*(?:\+\+|--|[+\-|&^]=(?!=))"
        for match in re.finditer(pattern, code):
            yield match.start(), name
        # A bare name or one of this object: `totals.acquires = ...` may well be a plain namesake in another struct.
        for match in re.finditer(rf"^[ \t]*(?:this->)?{name}\s*=(?!=)", code, re.MULTILINE):
            yield match.start() + len(match.group(0)) - len(match.group(0).lstrip()), name


def declared_names(root: Path, file: Path, code: str) -> Set[str]:
    """Names of atomics in this file, and in the header of the same name. A name that also belongs to something plain there says
    nothing about which of the two an operator touches, and is left out."""
    names = set(DECLARED.findall(code))
    if file.suffix == ".cpp":
        for header in code_files(root):
            if header.suffix == ".hpp" and header.stem == file.stem and header.parent.name == file.parent.name:
                text = without_comments(header.read_text(encoding="utf-8"), strings=True)
                names |= set(DECLARED.findall(text))
                code += text
    plain = set(PLAIN.findall(DECLARED.sub(" ", code)))
    return names - plain


def check_file(root: Path, file: Path) -> List[str]:
    text = file.read_text(encoding="utf-8")
    if not CONCERNS.search(text):
        return []
    code, comments, complaints = without_comments(text, strings=True), comments_by_line(text), []
    head = opening_comment(comments, code.split("\n"))
    names = declared_names(root, file, code)
    where = str(file.relative_to(root))

    def line_of(position):
        return code.count("\n", 0, position)

    def comment_near(first, last, reach):
        return "\n".join(comments[max(0, first - reach) : last + 1])

    for start, opening, operation in accesses(code, names):
        closing = argument_span(code, opening)
        first, last = line_of(start), line_of(closing)
        orders = orders_in(code[opening : closing + 1])
        if not orders:
            complaints.append(f"{where}:{first + 1}: {operation}() does not name its memory order")
        elif orders - {"relaxed", "order", "success", "failure"}:
            if not PARTNER.search(comment_near(first, last, PARTNER_LINES)):
                strong = ", ".join(sorted(orders - {"relaxed"}))
                complaints.append(f"{where}:{first + 1}: {operation}({strong}) does not say what it pairs with")
        elif orders == {"relaxed"} and "relaxed" not in head.lower():
            if "relaxed" not in comment_near(first, last, RELAXED_LINES).lower():
                complaints.append(f"{where}:{first + 1}: {operation}(relaxed) does not say why nothing is published")
    for position, name in operator_accesses(code, names):
        complaints.append(f"{where}:{line_of(position) + 1}: '{name}' is atomic and used through an operator (seq_cst unsaid)")
    return complaints


def check(root: Path) -> List[str]:
    return [complaint for file in code_files(root) for complaint in check_file(root, file)]


_HEAD = "#include <atomic>\nstatic std::atomic<int> planted_count{0};\nstatic std::atomic<bool> planted_ready;\n"


def _body(*lines: str) -> str:
    return _HEAD + "void planted() {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


PLANTS = [
    plant("an access names its order", "src/live/planted.cpp", _body("(void)planted_count.load();"), "load() does not name its memory order"),
    plant("also when it is spread over lines", "src/live/planted.cpp", _body("planted_count.fetch_add(", "    1);"), "fetch_add() does not name"),
    plant("an order in a comment does not count", "src/live/planted.cpp", _body("planted_count.store(1 /* memory_order_relaxed */);"), "store() does not name"),
    plant("release names its partner", "src/live/planted.cpp", _body("planted_ready.store(true, std::memory_order_release);"), "store(release) does not say what it pairs with"),
    plant("a comment about something else is no partner", "src/live/planted.cpp",
          _body("// ready now", "planted_ready.store(true, std::memory_order::release);"), "store(release) does not say"),
    plant("a partner five lines up is too far", "src/live/planted.cpp",
          _body("// pairs with the acquire in other()", "", "", "", "", "planted_ready.store(true, std::memory_order_release);"), "store(release) does not say"),
    plant("relaxed says why", "src/live/planted.cpp", _body("planted_count.fetch_add(1, std::memory_order_relaxed);"), "fetch_add(relaxed) does not say why"),
    plant("builtins too", "src/live/planted.cpp", "int v; int f() { return __atomic_load_n(&v, __ATOMIC_ACQUIRE); }\n", "__atomic_load_n(acquire) does not say"),
    plant("fences too", "src/live/planted.cpp", _body("std::atomic_thread_fence(std::memory_order_seq_cst);"), "atomic_thread_fence(seq_cst) does not say"),
    plant("no increment by operator", "src/live/planted.cpp", _body("++planted_count;"), "'planted_count' is atomic and used through an operator"),
    plant("no assignment by operator", "src/live/planted.cpp", _body("planted_ready = true;"), "'planted_ready' is atomic and used through an operator"),
    plant("innocent: partner named, relaxed explained", "src/live/planted.cpp",
          _body("// release: pairs with the acquire in other()", "planted_ready.store(true, std::memory_order_release);",
                "// relaxed: a statistic, nothing is published through it", "planted_count.fetch_add(1, std::memory_order_relaxed);"), None),
    plant("innocent: the opening comment speaks for all relaxed accesses", "src/live/planted.cpp",
          "// SPDX-License-Identifier: Apache-2.0\n// All accesses are relaxed: owner thread only.\n" + _body("planted_count.store(1, std::memory_order_relaxed);"), None),
    plant("innocent: a plain member of the same name", "src/live/planted.cpp",
          "#include <atomic>\nstruct a { std::atomic<int> floor{0}; };\nstruct b { int floor; };\nvoid f(b& x) { x.floor = 1; }\n", None),
    plant("innocent: load() of something that is no atomic, in a file without atomics", "src/live/planted.cpp", "void f(loader& l) { l.load(); }\n", None),
]

if __name__ == "__main__":
    run(check, PLANTS)
