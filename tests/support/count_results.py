# SPDX-License-Identifier: Apache-2.0
"""Prints `passed failed skipped` of a meson testlog.json: one JSON object a line. No file: nothing ran."""

import json
import sys

# Whatever else meson may write (FAIL, ERROR, TIMEOUT, INTERRUPT, UNEXPECTEDPASS, a word of a later version) has failed.
PASSED, FAILED, SKIPPED = range(3)
KINDS = {"OK": PASSED, "EXPECTEDFAIL": PASSED, "SKIP": SKIPPED, "IGNORED": SKIPPED}


def count(lines):
    counts = [0, 0, 0]
    for line in lines:
        counts[KINDS.get(json.loads(line)["result"], FAILED)] += 1
    return counts


if sys.argv[1] == "--self-test":
    log = [json.dumps({"name": word, "result": word}) for word in ("OK", "OK", "SKIP", "FAIL", "TIMEOUT", "ERROR", "news")]
    assert count(log) == [2, 4, 1], count(log)
    assert count([]) == [0, 0, 0]
else:
    try:
        with open(sys.argv[1], encoding="utf-8") as log:
            print(*count(log))
    except FileNotFoundError:
        print(0, 0, 0)
