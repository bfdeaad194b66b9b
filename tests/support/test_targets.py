# SPDX-License-Identifier: Apache-2.0
"""Prints the ninja targets that the tests of some suites need: test_targets.py BUILD SUITE..."""

import json
import os
import sys
from pathlib import Path

build = Path(sys.argv[1]).resolve()
suites = set(sys.argv[2:])
info = build / "meson-info"
tests = json.loads((info / "intro-tests.json").read_text(encoding="utf-8"))
files = {target["id"]: target["filename"] for target in json.loads((info / "intro-targets.json").read_text(encoding="utf-8"))}

needed = set()
for test in tests:
    if suites & {suite.split(":")[-1] for suite in test["suite"]}:
        for target in test["depends"]:
            needed.update(os.path.relpath(file, build) for file in files[target])
print("\n".join(sorted(needed)))
