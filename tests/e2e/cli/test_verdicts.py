# SPDX-License-Identifier: Apache-2.0
"""`memwatch verdicts` on dumps: a series is judged, whatever the order of its files; a baseline and suppressions acquit; 1 is a leak.

    test_verdicts.py MEMWATCH MAKE_SERIES [unittest arguments]
"""

import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

MEMWATCH, MAKE_SERIES = map(os.path.abspath, sys.argv[1:3])
FINE, LEAK, USAGE, UNREADABLE = range(4)
LOOKS = 24
CULPRIT = "shop::audit_log::append"
FOLDER = tempfile.TemporaryDirectory(prefix="memwatch-verdicts-test-")


def setUpModule():
    for kind in ("leaky", "healthy", "grown"):
        subprocess.run([MAKE_SERIES, FOLDER.name, kind, str(LOOKS)], check=True)


def dumps(kind):
    return sorted(glob.glob(os.path.join(FOLDER.name, kind + "-*.memtrace")))


def verdicts(*arguments):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
    return subprocess.run([MEMWATCH, "verdicts", "--no-symbols", *arguments], capture_output=True, text=True, timeout=60, env=kept, check=False)


class VerdictsTest(unittest.TestCase):
    def setUp(self):
        self.longMessage = True

    def rows(self, *arguments):
        done = verdicts("--json", *arguments)
        self.assertIn(done.returncode, (FINE, LEAK), done.stderr)
        return done.returncode, {row["name"]: row for row in json.loads(done.stdout)["rows"]}

    def test_a_series_names_the_leak_and_nobody_else(self):
        status, rows = self.rows(*dumps("leaky"))
        self.assertEqual((status, list(rows)), (LEAK, [CULPRIT]))
        row = rows[CULPRIT]
        self.assertEqual((row["class"], row["level"]), ("leak_retained", "leak"))
        self.assertAlmostEqual(row["rate_bytes_per_s"], 20 * 16384 / 10, delta=0.1 * 20 * 16384 / 10)
        self.assertIn(CULPRIT, row["sentence"])
        self.assertEqual(row["routes"][0]["route"], "/checkout")

    def test_the_order_of_the_files_and_repeated_ones_change_nothing(self):
        straight = verdicts("--json", *dumps("leaky")).stdout
        self.assertEqual(verdicts("--json", *reversed(dumps("leaky")), dumps("leaky")[3]).stdout, straight)

    def test_a_healthy_series_is_silent(self):
        status, rows = self.rows(*dumps("healthy"))
        self.assertEqual((status, rows), (FINE, {}))
        status, rows = self.rows("--all", *dumps("healthy"))
        self.assertEqual(status, FINE)
        self.assertTrue(rows)
        self.assertEqual({row["level"] for row in rows.values()}, {"none"})

    def test_a_leak_is_1_unless_that_is_not_wanted(self):
        self.assertEqual(verdicts(*dumps("leaky")).returncode, LEAK)
        self.assertEqual(verdicts("--exit-zero", *dumps("leaky")).returncode, FINE)

    def test_text_and_markdown_say_the_sentence(self):
        for how in ("text", "md"):
            self.assertIn(CULPRIT, verdicts("--format", how, *dumps("leaky")).stdout)

    def test_a_place_that_held_as_much_in_a_healthy_run_of_another_build_is_acquitted(self):
        status, rows = self.rows("--baseline", dumps("grown")[-1], *dumps("leaky"))
        self.assertEqual((status, rows), (FINE, {}))
        # Where it did not exist, or held far less, the baseline changes nothing.
        self.assertEqual(list(self.rows("--baseline", dumps("healthy")[-1], *dumps("leaky"))[1]), [CULPRIT])

    def test_suppressions_hide_what_they_match(self):
        rules = os.path.join(FOLDER.name, "lsan.supp")
        for pattern, shown in (("audit_log", []), ("parser", [CULPRIT])):
            with open(rules, "w", encoding="utf-8") as file:
                file.write(f"# known\nleak:{pattern}\n")
            status, rows = self.rows("--suppressions", rules, *dumps("leaky"))
            self.assertEqual((list(rows), status), (shown, LEAK if shown else FINE))
        with open(rules, "w", encoding="utf-8") as file:
            file.write("race:what\n")
        self.assertEqual(verdicts("--suppressions", rules, *dumps("leaky")).returncode, UNREADABLE)

    def test_what_cannot_be_a_series_is_refused_with_the_reason(self):
        for arguments, says in (([*dumps("leaky")[:3], dumps("healthy")[0]], "another session"),
                                (dumps("leaky")[:2], "takes three"),
                                ([dumps("leaky")[0]] * 3, "three moments"),
                                ([], "required")):
            done = verdicts(*arguments)
            self.assertEqual((done.returncode, done.stdout), (USAGE, ""), arguments)
            self.assertIn(says, done.stderr)
        self.assertEqual(verdicts("--level", "worst", *dumps("leaky")).returncode, USAGE)
        self.assertEqual(verdicts(os.path.join(FOLDER.name, "nothing.memtrace")).returncode, UNREADABLE)

    def test_a_dump_of_a_process_that_judged_nothing_says_so(self):
        done = verdicts(dumps("healthy")[0])
        self.assertEqual(done.returncode, FINE)
        self.assertIn("nothing was judged", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
