#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Doxygen's input filter. memwatch's comments are plain `//`; this makes those that document something Doxygen's:

    // A comment above a declaration.   ->   /// A comment above a declaration.
    int x;  // behind a member          ->   int x;  ///< behind a member
    the comment below #pragma once      ->   the file's, and that of the type named like the file

A declaration right below a documented one, without a comment, is its twin and shares its words. Indented text (examples, tables, drawings) becomes verbatim. Bodies of functions are left alone: nothing in there documents. A
specialization of std::hash is hidden: Doxygen looks for its primary template and complains.
"""

import re
import sys
from pathlib import Path
from typing import List

COMMENT = re.compile(r"^(\s*)//\s?(.*)$")
# Words that Doxygen would take for commands, links or HTML.
SPECIAL = re.compile(r"([\\@#<>&%$])")
TRAILING = re.compile(r"^(\s*[^/\s#}][^\"]*?[;,}])\s+// (.*)$")
DECLARATION = re.compile(r"^\s*(\[\[nodiscard\]\] )?(MEMWATCH_API |inline |using |static |constexpr )*[\w:<>,&* ]+(\(.*\).*| = .*|\[.*\].*);$")
TYPE = re.compile(r"^(template <.*> )?(class|struct) (\[\[\w+\]\] )?(MEMWATCH_API )?(?P<name>\w+)( final)?( :.*)? \{")


def is_indented(text: str) -> bool:
    return bool(re.match(r"(\s{2,}\S|\+-|\|)", text))


def documented(block: List[str]) -> List[str]:
    """A run of whole-line comments, as Doxygen's."""
    indent = COMMENT.match(block[0]).group(1)
    out, is_verbatim = [], False
    for line in block:
        text = COMMENT.match(line).group(2)
        if is_indented(text) != is_verbatim and (text.strip() or not is_verbatim):
            out.append(f"{indent}/// " + ("@endverbatim" if is_verbatim else "@verbatim"))
            is_verbatim = not is_verbatim
        out.append(f"{indent}/// {text if is_verbatim else SPECIAL.sub(chr(92) + chr(92) + '1', text)}")
    return out + ([f"{indent}/// @endverbatim"] if is_verbatim else [])


def lines_in_bodies(lines: List[str]) -> List[bool]:
    """For each line: does it begin inside a function's body?"""
    inside, stack = [], []
    for line in lines:
        inside.append("body" in stack)
        code = re.sub(r'//.*$|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'', "", line)
        for match in re.finditer(r"[{}]", code):
            if match.group() == "}":
                stack[-1:] = []
                continue
            before = code[: match.start()].rstrip()
            is_body = re.search(r"(\)|\bnoexcept|\bconst|\boverride|\bmutable|-> [\w:<>()*& ]+)$", before)
            stack.append("body" if is_body and not re.search(r"\b(namespace|class|struct|enum|union)\b[^()]*$", before) else "scope")
    return inside


def convert(lines: List[str], main_type: str) -> List[str]:
    def is_main_type(line: str) -> bool:
        found = TYPE.match(line)
        return bool(found) and found.group("name") == main_type

    inside = lines_in_bodies(lines)
    out: List[str] = []
    opening: List[str] = []  # the file's comment, until a type has taken it
    has_file = False
    twin: List[str] = []  # the comment of the declaration above, if it stands right above
    i = 0
    while i < len(lines):
        line = lines[i]
        twin = twin if line.strip() else []
        if COMMENT.match(line) and not inside[i] and "SPDX" not in line:
            end = next(j for j in range(i, len(lines) + 1) if j == len(lines) or not COMMENT.match(lines[j]))
            documents = end < len(lines) and lines[end].strip() not in ("", "}", "};") and not lines[end].startswith("#")
            if not has_file:
                opening, has_file = documented(lines[i:end]), True
                out += ["/// @file", *opening]
            elif documents:
                twin = documented(lines[i:end])
                out += twin
            i = end
            continue
        named_like_file = is_main_type(line) or (line.startswith("template <") and i + 1 < len(lines) and is_main_type(lines[i + 1]))
        if opening and named_like_file and not out[-1].startswith(("///", "template")):
            out += opening
            opening = []
        if twin and out[-1].endswith(";") and not inside[i] and DECLARATION.match(line) and not TRAILING.match(line):
            out += twin
        trailing = TRAILING.match(line) if not inside[i] else None
        out.append(f"{trailing.group(1)}  ///< {SPECIAL.sub(chr(92) + chr(92) + '1', trailing.group(2))}" if trailing else line)
        i += 1
    return out


def without_specializations(text: str) -> str:
    return re.sub(r"^template <>\nstruct std::.*?^\};$", "", text, flags=re.DOTALL | re.MULTILINE)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print("\n".join(convert(without_specializations(file.read()).split("\n"), Path(sys.argv[1]).stem)))
