#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of a page, as a reader would: each ```sh block in order, in one shell that stops at the first failure.

    page_commands.py PAGE --source ROOT --build BUILD [--may-fail]

The shell stands in a folder where `build` is this build and everything else of the checkout is where a reader finds it. The port
9467 is replaced by a free one, and MEMWATCH_LISTEN says so. A block that cannot run here has `<!-- not run: why -->` on the line before
it; the reason is printed. `<!-- prints: text -->` on the line after a block is what its output must contain.
"""
import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"(?P<before>[^\n]*)\n```sh\n(?P<code>.*?)\n```(?:\n<!-- prints: (?P<prints>.*?) -->)?", re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: (.*) -->")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def shell_script(page: str, port: int, folder: Path) -> str:
    # Background jobs are ended with the shell, whatever happens.
    lines = ["set -eo pipefail", "trap 'status=$?; kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; exit $status' EXIT"]
    for number, match in enumerate(BLOCK.finditer(page), 1):
        skipped = NOT_RUN.search(match["before"])
        if skipped:
            print(f"block {number} is not run: {skipped[1]}")
            continue
        code = re.sub(r"/tmp\b", f"{folder}/tmp", match["code"].replace("9467", str(port)))
        lines += [f"echo '== block {number}'", f"{{\n{code}\n}} > {folder}/out 2>&1 || {{ cat {folder}/out; echo 'block {number} failed'; exit 1; }}", f"cat {folder}/out"]
        if match["prints"]:
            lines.append(f"grep -qF -- '{match['prints']}' {folder}/out || {{ echo 'block {number} does not print: {match['prints']}'; exit 1; }}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memwatch-page-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        checkout = folder / "checkout"
        checkout.mkdir()
        for entry in arguments.source.iterdir():
            if not entry.name.startswith(("build", ".")):
                (checkout / entry.name).symlink_to(entry)
        (checkout / "build").symlink_to(arguments.build)
        port = free_port()
        script = shell_script(arguments.page.read_text(encoding="utf-8"), port, folder)
        if "== block" not in script:
            print("the page has no commands to run")
            return 1
        environment = {**os.environ, "MEMWATCH_LISTEN": f"127.0.0.1:{port}", "NO_COLOR": "1"}
        return subprocess.run(["bash", "-c", script], cwd=checkout, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
