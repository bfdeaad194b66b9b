#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The first C++ block of README.md consists of lines of examples/quickstart/leaky.cpp, in order, and holds each of its lines
marked `// +`: what readers copy is what the build compiles, and the number of lines to add is at most 15."""
import os
import re
import sys

MARK = re.compile(r"\s*// \+$")


def code_lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def main(root):
    with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
        blocks = re.findall(r"```cpp\n(.*?)```", file.read(), re.S)
    with open(os.path.join(root, "examples/quickstart/leaky.cpp"), encoding="utf-8") as file:
        source = file.read()
    if not blocks:
        return "README.md has no cpp block"
    added = [MARK.sub("", line).strip() for line in source.splitlines() if MARK.search(line)]
    if not 0 < len(added) <= 15:
        return f"leaky.cpp marks {len(added)} lines as added; 1 to 15 are promised"
    shown = code_lines(blocks[0])
    missing = [line for line in added if line not in shown]
    if missing:
        return f"README.md leaves out: {missing}"
    rest = iter(MARK.sub("", line) for line in code_lines(source))
    for line in shown:
        if line not in rest:  # consumes `rest` up to the line: order is checked too
            return f"README.md shows a line that leaky.cpp does not have there: {line}"
    return None


if __name__ == "__main__":
    problem = main(sys.argv[1])
    if problem:
        sys.exit(problem)
