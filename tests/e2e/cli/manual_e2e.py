#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""memwatch(1), as mandoc's lint and man itself see it, names what the parser knows and leaves nothing of roff to be seen.

    manual_e2e.py MEMWATCH
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, **more).stdout


def squeezed(text):
    """Without what filling and hyphenation add."""
    return re.sub(r"\s+", "", text)


def main(memwatch):
    tree = json.loads(run(memwatch, "manual", "--format", "json"))
    with tempfile.TemporaryDirectory(prefix="memwatch-manual-") as folder:
        page = os.path.join(folder, "memwatch.1")
        with open(page, "w", encoding="utf-8") as file:
            file.write(run(memwatch, "manual"))
        if shutil.which("mandoc"):
            lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, timeout=60, check=False)
            assert lint.returncode == 0 and not lint.stdout, lint.stdout + lint.stderr
        else:
            print("not linted: mandoc is not installed")
        if not shutil.which("man"):
            print("SKIP: man is not installed")
            sys.exit(77)
        shown = run("man", "--warnings", "-P", "cat", "-l", page, env={**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""})
        shown = re.sub(r".\x08|\x1b\[[0-9;]*m", "", shown)
        for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "SOURCES", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"):
            assert re.search(f"^{heading}$", shown, re.M), f"no section {heading}"
        dense = squeezed(shown)
        for command in tree["commands"]:
            if not command["name"]:
                continue
            assert squeezed("memwatch " + command["name"]) in dense, command["name"]
            assert squeezed(command["summary"]) in dense, command["summary"]
            for option in command["options"]:
                if "--help" not in option["names"]:
                    assert squeezed(", ".join(option["names"])) in dense, option["names"]
                    assert squeezed(option["description"]) in dense, option["description"]
            for line in command["footer"].splitlines():
                if line.startswith("  memwatch "):
                    assert squeezed(line) in dense, line
        assert "\\" not in shown.replace("\\n", ""), [line for line in shown.splitlines() if "\\" in line]
        print(f"{len(tree['commands']) - 1} commands in {len(shown.splitlines())} lines")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
