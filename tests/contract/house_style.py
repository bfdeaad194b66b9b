# SPDX-License-Identifier: Apache-2.0
"""The rules of style.md that a machine can read.

Complaints: no SPDX line first, a header without `#pragma once` next, a header without opening comment, `using namespace` in a
header, TODO without an issue number, a file or folder named after nothing (util, helper, common, misc, manager), more than five
public macros or one without MEMWATCH_, mutable state in a header, a source that its folder's meson.build does not list, a room
without README.md or with one over 60 lines, a public header outside namespace memwatch::v1.
Smells are printed and never fail: files over 500 (header) or 600 (source) lines, rooms over 12 sources, #if outside platform.
"""

import re
import sys
from pathlib import Path
from typing import List

from source_tree import code_files, comments_by_line, plant, public_headers, run, without_comments

SPDX = "// SPDX-License-Identifier: Apache-2.0"
NAMELESS = re.compile(r"(^|_)(utils?|utilities|helpers?|common|misc|manager)(_|\.|$)")
PUBLIC_MACROS = 5
ROOM_README_LINES = 60
TODO = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\s*\(?(issue )?#\d+)")
# `static int x;`, `inline int x;` at the start of a line in a header: state that every includer would share or copy.
STATE = re.compile(
    r"^(?:(?:static|inline|thread_local|constinit)[ ]+)+(?!constexpr\b|const\b|consteval\b|namespace\b|static\b|inline\b|thread_local\b|constinit\b)"
    r"[\w:<>, *&]+?[ ]+\w+[ ]*(?:=[^;(]*|\{[^;(]*\})?;",
    re.MULTILINE,
)
STATE_EXCEPTIONS = {
    # path: why
    "include/memwatch/capture/thread_state.hpp": "the one TLS block of the hot path, initial-exec, defined in src/capture",
}


MACRO_EXCEPTIONS = {
    # (path, macro): why
    ("include/memwatch/none.hpp", "v1"): "while it includes the plain values: a file without memwatch must not share their names; pushed and popped",
    ("include/memwatch/adapters/asio.hpp", "v1"): "as in none.hpp, when compiled out: an adapter on top of nothing is another class; pushed and popped",
    ("include/memwatch/adapters/coroutine.hpp", "v1"): "as in none.hpp, when compiled out: an adapter on top of nothing is another class; pushed and popped",
    ("include/memwatch/adapters/thread.hpp", "v1"): "as in none.hpp, when compiled out: an adapter on top of nothing is another class; pushed and popped",
}


def check_first_lines(where: str, file: Path, text: str) -> List[str]:
    complaints, lines = [], text.split("\n")
    if lines[0] != SPDX:
        complaints.append(f"{where}:1: first line must be '{SPDX}'")
    if file.suffix == ".hpp" and (len(lines) < 2 or lines[1] != "#pragma once"):
        complaints.append(f"{where}:2: second line must be '#pragma once'")
    if file.suffix == ".hpp":
        comments = comments_by_line(text)
        if not any(comment.strip() for comment in comments[2:4]):
            complaints.append(f"{where}:3: no opening comment: what is this in domain words; In / Out / Threads; why this way")
    return complaints


def check_header(where: str, text: str, code: str) -> List[str]:
    complaints = []
    for match in re.finditer(r"^\s*using\s+namespace\b", code, re.MULTILINE):
        complaints.append(f"{where}:{code.count(chr(10), 0, match.start() + 1) + 1}: 'using namespace' in a header")
    if where not in STATE_EXCEPTIONS:
        for match in STATE.finditer(code):
            complaints.append(f"{where}:{code.count(chr(10), 0, match.start()) + 1}: mutable state in a header: {match.group(0).strip()[:60]}")
    return complaints


def check_public(root: Path) -> List[str]:
    complaints, macros = [], {}
    for header in public_headers(root):
        where, code = str(header.relative_to(root)), without_comments(header.read_text(encoding="utf-8"))
        defined = re.findall(r"^\s*#\s*define\s+(\w+)", code, re.MULTILINE)
        dropped = set(re.findall(r"^\s*#\s*undef\s+(\w+)", code, re.MULTILINE))
        for macro in defined:
            if macro not in dropped:
                macros[macro] = where
            if not macro.startswith("MEMWATCH_") and (where, macro) not in MACRO_EXCEPTIONS:
                complaints.append(f"{where}: public macro {macro} does not begin with MEMWATCH_")
        if re.search(r"\bnamespace\s+memwatch\b", code) and not re.search(r"namespace memwatch \{\s*inline namespace v1 \{|namespace memwatch::inline v1|namespace memwatch \{\s*inline namespace none \{|"
                                                                           r"namespace memwatch \{\s*(//.*)?\s*inline namespace v1", code):
            complaints.append(f"{where}: declarations must stand in 'namespace memwatch {{ inline namespace v1 {{'")
    if len(macros) > PUBLIC_MACROS:
        complaints.append(f"include/memwatch: {len(macros)} public macros, at most {PUBLIC_MACROS}: {', '.join(sorted(macros))}")
    return complaints


def check_listed(root: Path) -> List[str]:
    """Explicit files(): a source that no meson.build names is not built, and nobody notices."""
    complaints = []
    for file in code_files(root, "src", "include", "tests") if (root / "tests/unit").is_dir() else code_files(root):
        name, folder, is_listed = file.name, file.parent, False
        if file.suffix not in {".cpp", ".hpp"} or (file.suffix == ".hpp" and "include" not in file.relative_to(root).parts[:1]):
            continue
        while not is_listed and folder != root.parent:
            build = folder / "meson.build"
            spelling = str(file.relative_to(folder))
            text = build.read_text(encoding="utf-8") if build.is_file() else ""
            stem = spelling.rsplit(".", 1)[0]
            is_listed = f"'{spelling}'" in text or f"'{stem}'" in text or f"/{spelling}'" in text
            # `name + '_fuzz.cpp'`: a list of stems and what they have in common.
            is_listed = is_listed or any(spelling.endswith(end) for end in re.findall(r"\+ '([\w.]+\.cpp)'", text) if end != ".cpp")
            folder = folder.parent
        if not is_listed:
            complaints.append(f"{file.relative_to(root)}: no meson.build lists {name}")
    return complaints


def check_rooms(root: Path) -> List[str]:
    complaints = []
    for room in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        if not any(p.suffix == ".cpp" for p in room.iterdir()):
            continue  # laid out, not furnished yet
        readme = room / "README.md"
        if not readme.is_file():
            complaints.append(f"{room.relative_to(root)}: no README.md (what comes in, goes out, who calls it on which thread, what does not belong)")
        elif readme.read_text(encoding="utf-8").count("\n") > ROOM_README_LINES:
            complaints.append(f"{readme.relative_to(root)}: over {ROOM_README_LINES} lines")
    return complaints


def check_documents(root: Path) -> List[str]:
    complaints = []
    pages = [root / "README.md", root / "CONTRIBUTING.md", root / "CHANGELOG.md"]
    pages += [page for folder in ("docs", "src", "examples", "tests", "subprojects") for page in sorted((root / folder).rglob("*.md"))]
    for page in pages:
        if not page.is_file() or "golden" in page.parts:
            continue
        for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
                    complaints.append(f"{page.relative_to(root)}:{number}: link to {target}, which is not there")
    plan = root / "docs/architecture.md"
    if plan.is_file():
        rows = set(re.findall(r"^\| (\w+) \|", plan.read_text(encoding="utf-8"), re.MULTILINE))
        for room in sorted(p.name for p in (root / "src").iterdir() if p.is_dir() and any(p.glob("*.cpp"))):
            if room not in rows:
                complaints.append(f"docs/architecture.md: no row for room {room}")
    return complaints


def check(root: Path) -> List[str]:
    complaints = check_public(root) + check_rooms(root) + check_listed(root) + check_documents(root)
    tests = [p for p in (root / "tests").rglob("*") if p.suffix in {".hpp", ".cpp"}]
    examples = [p for p in (root / "examples").rglob("*") if p.suffix in {".hpp", ".cpp"}]
    for file in code_files(root) + sorted(tests + examples):
        where, text = str(file.relative_to(root)), file.read_text(encoding="utf-8")
        code = without_comments(text)
        complaints += check_first_lines(where, file, text)
        if file.suffix == ".hpp" and where.split("/")[0] in {"include", "src"}:
            complaints += check_header(where, text, code)
        for number, comment in enumerate(comments_by_line(text), 1):
            if TODO.search(comment):
                complaints.append(f"{where}:{number}: TODO without an issue number (write TODO #12)")
    for folder in ("include", "src", "tests", "examples"):
        for path in sorted((root / folder).rglob("*")):
            if NAMELESS.search(path.name) and "__pycache__" not in path.parts:
                complaints.append(f"{path.relative_to(root)}: '{path.name}' names nothing; say what it is")
    return complaints


def smells(root: Path) -> List[str]:
    found, conditionals = [], 0
    for file in code_files(root):
        lines = file.read_text(encoding="utf-8").count("\n")
        limit = 500 if file.suffix == ".hpp" else 600
        if lines > limit:
            found.append(f"{file.relative_to(root)}: {lines} lines (over {limit})")
        if "platform" not in file.parts:
            conditionals += len(re.findall(r"^\s*#\s*(?:if|ifdef|ifndef)\b", without_comments(file.read_text(encoding="utf-8")), re.MULTILINE))
    for room in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        sources = [p for p in room.iterdir() if p.suffix == ".cpp"]
        if len(sources) > 12:
            found.append(f"{room.relative_to(root)}: {len(sources)} sources (over 12: two rooms?)")
    if conditionals > 10:
        found.append(f"{conditionals} conditionals outside platform (over 10)")
    return found


_OK = SPDX + "\n#pragma once\n// Planted.\n"
PLANTS = [
    plant("SPDX comes first", "src/base/planted.cpp", "int planted;\n", "first line must be"),
    plant("#pragma once comes second", "src/base/planted.hpp", SPDX + "\n// Planted.\n", "second line must be"),
    plant("headers open with a comment", "src/base/planted.hpp", SPDX + "\n#pragma once\n\n\nint f();\n", "no opening comment"),
    plant("no using namespace in headers", "src/base/planted.hpp", _OK + "using namespace std;\n", "'using namespace' in a header"),
    plant("no TODO without an issue", "src/base/planted.hpp", _OK + "// TODO: later\n", "TODO without an issue number"),
    plant("no mutable state in headers", "src/base/planted.hpp", _OK + "inline int planted_state = 0;\n", "mutable state in a header"),
    plant("no file named after nothing", "src/base/string_utils.hpp", _OK, "names nothing"),
    plant("no folder named after nothing", "src/common/planted.hpp", _OK, "'common' names nothing"),
    plant("public macros carry the prefix", "include/memwatch/base/planted.hpp", _OK + "#define PLANTED 1\n", "does not begin with MEMWATCH_"),
    plant("at most five public macros", "include/memwatch/base/planted.hpp", _OK + "".join(f"#define MEMWATCH_PLANTED_{i} 1\n" for i in range(6)), "public macros, at most"),
    plant("everything public is versioned", "include/memwatch/base/planted.hpp", _OK + "namespace memwatch {\nint f();\n}\n", "must stand in 'namespace memwatch"),
    plant("a source must be listed", "src/base/planted.cpp", SPDX + "\nint planted;\n", "no meson.build lists planted.cpp"),
    plant("a room has a README", "src/scan/planted.cpp", SPDX + "\n", "src/scan: no README.md"),
    plant("a room's README is short", "src/scan/README.md", "line\n" * 61, "README.md: over 60 lines", {"src/scan/planted.cpp": SPDX + "\n"}),
    plant("links lead somewhere", "src/base/README.md", "[gone](gone.md)\n", "link to gone.md, which is not there"),
    plant("a new room gets a row in the plan", "src/scan/planted.cpp", SPDX + "\n", "docs/architecture.md: no row for room scan"),
    plant("innocent: functions, constants and classes in a header", "src/scan/planted.hpp",
          _OK + "inline constexpr int planted_limit = 4;\nstatic constexpr int b{1};\ninline int planted(int x) { return x; }\n// TODO #12: as the issue says\n", None,
          {"src/scan/README.md": "# scan\n"}),
]


if __name__ == "__main__":
    if "--plants" not in sys.argv:
        for smell in smells(Path(sys.argv[1]).resolve()):
            print(f"smell (never fails): {smell}")
    run(check, PLANTS)
