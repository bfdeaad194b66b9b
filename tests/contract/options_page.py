# SPDX-License-Identifier: Apache-2.0
"""docs/options.md holds what `memwatch options --format md` prints, between its marks.

    options_page.py ROOT --command build/src/cli/memwatch [--update | --plants]
"""

import argparse
import subprocess
import sys
from pathlib import Path

BEGIN, END = "<!-- memwatch options --format md -->\n", "<!-- /memwatch options -->"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--command", required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--plants", action="store_true")
    options = parser.parse_args()
    page = options.root / "docs/options.md"
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    table, after = rest.split(END, 1)
    printed = subprocess.run([options.command, "options", "--format", "md"], capture_output=True, text=True, check=True).stdout
    if options.update:
        page.write_text(before + BEGIN + printed + END + after, encoding="utf-8")
        return 0
    if options.plants:
        table = table.replace("1MiB", "2MiB", 1)
    is_equal = table == printed
    if not is_equal and not options.plants:
        print("docs/options.md is not what options.def says: run options_page.py --update")
    return 0 if is_equal != options.plants else 1


if __name__ == "__main__":
    sys.exit(main())
