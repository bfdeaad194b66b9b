# SPDX-License-Identifier: Apache-2.0
"""Code in the documents is code that is compiled: an excerpt of a file, held equal to it.

    <!-- examples/guide/pools.cpp [acquire] -->       in README.md or docs/, on the line before the fence
    ```cpp
    ...the lines between `// [acquire]` and `// [/acquire]` of that file, less their common indentation...
    ```

`[+]` stands for the lines that the file marks with `// +`, blank lines aside, and `[all]` for a whole file below its opening comment.
Every ```cpp fence needs such a line; fences of other languages (cmake, meson, python) may have one and are then held to it, too (there
the marks begin with `#`). What a newcomer adds to a program, quickstart's `// +`, is at most 15 lines.
"""

import re
import textwrap
from pathlib import Path
from typing import List, Optional

from source_tree import plant, run

SOURCE = re.compile(r"^<!-- ([\w./-]+) \[(/?[\w+-]+)\] -->$")
MARK = re.compile(r"\s*// \+$")
MUST_BE_EXCERPTS = {"cpp"}
QUICKSTART = "examples/quickstart/leaky.cpp"
MOST_ADDED_LINES = 15


def marked_lines(text: str) -> List[str]:
    return [MARK.sub("", line).strip() for line in text.split("\n") if MARK.search(line)]


def below_opening_comment(text: str) -> str:
    lines = text.split("\n")
    while lines and (not lines[0].strip() or lines[0].startswith(("//", "#!", "# "))):
        lines.pop(0)
    return "\n".join(lines).rstrip()


def excerpt(text: str, name: str) -> Optional[str]:
    """None: the file has no such excerpt, or more than one."""
    if name == "+":
        return "\n".join(marked_lines(text)) or None
    if name == "all":
        return below_opening_comment(text)
    found = re.findall(rf"^[ \t]*(?://|#) \[{re.escape(name)}\]\n(.*?)^[ \t]*(?://|#) \[/{re.escape(name)}\]$", text, re.DOTALL | re.MULTILINE)
    if len(found) != 1:
        return None
    # Marks of other excerpts inside are not part of it.
    lines = [line for line in found[0].split("\n") if not re.match(r"\s*(//|#) \[/?[\w+-]+\]$", line)]
    return textwrap.dedent("\n".join(lines)).strip("\n")


def fences(page: str):
    """(line number of the fence, language, line before it, content) of each fenced block."""
    lines = page.split("\n")
    i = 0
    while i < len(lines):
        opening = re.match(r"^```(\w*)", lines[i])
        if not opening:
            i += 1
            continue
        end = next((j for j in range(i + 1, len(lines)) if lines[j].startswith("```")), len(lines))
        yield i + 1, opening.group(1), lines[i - 1] if i else "", "\n".join(lines[i + 1:end])
        i = end + 1


def check_fence(root: Path, where: str, before: str, content: str) -> Optional[str]:
    file, name = SOURCE.match(before).groups()
    source = root / file
    if not source.is_file():
        return f"{where}: {file} is not there"
    wanted = excerpt(source.read_text(encoding="utf-8"), name)
    if wanted is None:
        return f"{where}: {file} has no excerpt [{name}], or several"
    if name == "+":
        content = "\n".join(line.strip() for line in content.split("\n") if line.strip())
    if content.strip("\n") != wanted:
        return f"{where}: differs from {file} [{name}]"
    return None


def check(root: Path) -> List[str]:
    complaints = []
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        for number, language, before, content in fences(page.read_text(encoding="utf-8")):
            where = f"{page.relative_to(root)}:{number}"
            if SOURCE.match(before):
                problem = check_fence(root, where, before, content)
                complaints += [problem] if problem else []
            elif language in MUST_BE_EXCERPTS:
                complaints.append(f"{where}: {language} without '<!-- FILE [name] -->' on the line before: excerpts of compiled files only")
    added = marked_lines((root / QUICKSTART).read_text(encoding="utf-8"))
    if not 0 < len(added) <= MOST_ADDED_LINES:
        complaints.append(f"{QUICKSTART}: {len(added)} lines are marked as added; 1 to {MOST_ADDED_LINES} are promised")
    return complaints


_GUIDE = {"examples/guide/planted.cpp": "// A.\nint main() {\n    // [body]\n    int x = 1;\n    x += 1;\n    // [/body]\n}\n"}
_PAGE = "docs/planted.md"
PLANTS = [
    plant("code is an excerpt", _PAGE, "```cpp\nint x = 1;\n```\n", "excerpts of compiled files only"),
    plant("an excerpt equals its file", _PAGE, "<!-- examples/guide/planted.cpp [body] -->\n```cpp\nint x = 1;\n```\n", "differs from", _GUIDE),
    plant("an excerpt exists", _PAGE, "<!-- examples/guide/planted.cpp [soul] -->\n```cpp\nint x = 1;\n```\n", "has no excerpt [soul]", _GUIDE),
    plant("its file exists", _PAGE, "<!-- examples/guide/gone.cpp [body] -->\n```cpp\n```\n", "gone.cpp is not there"),
    plant("a newcomer adds 15 lines at most", QUICKSTART, "int planted;  // +\n" * 16, "lines are marked as added"),
    plant("innocent: an equal excerpt, and another language", _PAGE,
          "<!-- examples/guide/planted.cpp [body] -->\n```cpp\nint x = 1;\nx += 1;\n```\n```sh\nls\n```\n", None, _GUIDE),
]


if __name__ == "__main__":
    run(check, PLANTS)
