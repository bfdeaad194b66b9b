#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/orders/check_diff.py judges the demo, so it has to say no when it should."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../examples/orders/check_diff.py")
FUNCTION, TAG, ROUTE = "order_cache::remember", "order-cache", "/api/v2/orders"


def row(name="orders::order_cache::remember(std::string_view)", tag=TAG, route=ROUTE, mib=60.0, significant=True):
    return {"name": name, "tag": tag, "bytes": mib * 1048576, "bytes_standard_error": 8.0 * 1048576,
            "significant": significant,
            "shares": [{"by": "route", "name": "/login", "bytes": 1.0}, {"by": "route", "name": route, "bytes": mib}]}


def check(rows, *arguments):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(rows if isinstance(rows, str) else json.dumps({"rows": rows}))
        file.flush()
        command = [sys.executable, CHECK, arguments[0], file.name, *arguments[1:]]
        return subprocess.run(command, capture_output=True, check=False).returncode


class CheckDiff(unittest.TestCase):
    def culprit(self, rows):
        return check(rows, "culprit", FUNCTION, TAG, ROUTE)

    def test_accepts_the_culprit(self):
        self.assertEqual(self.culprit([row(), row(name="other", tag="other")]), 0)

    def test_rejects_another_first_row(self):
        self.assertEqual(self.culprit([row(name="orders::order_store::add", tag="recent-orders"), row()]), 1)

    def test_rejects_each_wrong_part(self):
        self.assertEqual(self.culprit([row(name="orders+0x1234")]), 1)
        self.assertEqual(self.culprit([row(tag="untagged")]), 1)
        self.assertEqual(self.culprit([row(route="/api/v2/cart")]), 1)
        self.assertEqual(self.culprit([row(significant=False)]), 1)

    def test_rejects_an_empty_diff(self):
        self.assertEqual(self.culprit([]), 1)

    def test_unreadable(self):
        self.assertEqual(self.culprit("{"), 3)
        self.assertEqual(check([], "culprit"), 2)

    def test_healthy(self):
        self.assertEqual(check([row(mib=60)], "healthy", TAG, "1000000"), 1)
        self.assertEqual(check([row(mib=20)], "healthy", TAG, "1000000"), 0)  # within 4 x 8 MiB
        self.assertEqual(check([row(tag="sessions")], "healthy", TAG, "1000000"), 0)

    def test_neighbours(self):
        def tags(*sizes):
            return [row(name=f"tag-{i}", tag="", mib=mib) for i, mib in enumerate(sizes)] + [row(name=TAG, tag="", mib=60)]
        self.assertEqual(check(tags(20, 15, 12, 10, 8), "neighbours", TAG), 0)
        self.assertEqual(check(tags(20, 15, 12, 10), "neighbours", TAG), 1)  # four
        self.assertEqual(check(tags(20, 15, 12, 10, 2), "neighbours", TAG), 1)  # in sum less than the leak

    def test_accused(self):
        def verdict(level="leak", name="orders::order_cache::remember", tag=TAG, route=ROUTE, traces=("4bf9",)):
            return {"level": level, "class": "leak_retained", "name": name, "tag": tag, "retained_bytes": 1e7, "trace_ids": list(traces),
                    "routes": [{"route": route, "share": 1}] if route else []}

        def accused(*rows):
            return check(list(rows), "accused", FUNCTION, TAG, ROUTE)
        self.assertEqual(accused(verdict()), 0)
        self.assertEqual(accused(verdict(), verdict(level="suspect")), 0)  # another site of the same function
        for wrong in ([], [verdict(level="suspect")], [verdict(), verdict(name="orders::order_store::add", tag="recent-orders")],
                      [verdict(), verdict(level="suspect", name="orders::catalog::page")], [verdict(tag="untagged")], [verdict(route=None)],
                      [verdict(traces=())]):
            self.assertEqual(accused(*wrong), 1, wrong)
        self.assertEqual(check([], "silent"), 0)
        self.assertEqual(check([verdict(level="suspect")], "silent"), 1)


if __name__ == "__main__":
    unittest.main()
