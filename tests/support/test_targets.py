# SPDX-License-Identifier: Apache-2.0
"""Prints the ninja targets that the tests of some suites need: test_targets.py BUILD SUITE... [-SUITE_LEFT_OUT]..."""

import json
import os
import sys
from pathlib import Path

build = Path(sys.argv[1]).resolve()
suites = {name for name in sys.argv[2:] if not name.startswith("-")}
left_out = {name[1:] for name in sys.argv[2:] if name.startswith("-")}
info = build / "meson-info"
tests = json.loads((info / "intro-tests.json").read_text(encoding="utf-8"))
files = {target["id"]: target["filename"] for target in json.loads((info / "intro-targets.json").read_text(encoding="utf-8"))}

needed = set()
for test in tests:
    belongs_to = {suite.split(":")[-1] for suite in test["suite"]}
    if suites & belongs_to and not left_out & belongs_to:
        for target in test["depends"]:
            needed.update(os.path.relpath(file, build) for file in files[target])
print("\n".join(sorted(needed)))
