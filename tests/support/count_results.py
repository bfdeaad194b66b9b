# SPDX-License-Identifier: Apache-2.0
"""Prints `passed failed skipped` of a meson testlog.json: one JSON object a line. No file: nothing ran."""

import json
import sys

KINDS = {"OK": 0, "EXPECTEDFAIL": 0, "SKIP": 2, "IGNORED": 2}  # whatever else (FAIL, ERROR, TIMEOUT, INTERRUPT, UNEXPECTEDPASS) failed

counts = [0, 0, 0]
try:
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            counts[KINDS.get(json.loads(line)["result"], 1)] += 1
except FileNotFoundError:
    pass
print(*counts)
