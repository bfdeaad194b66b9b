# SPDX-License-Identifier: Apache-2.0
"""`memwatch run --report` judges programs of seconds: the culprit is named with what it holds when main ends, and nobody else.

    test_verdicts.py MEMWATCH PRELOAD JUDGED [unittest arguments]

Full mode at epochs of 250 ms; the programs run side by side.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import unittest

MEMWATCH, PRELOAD, JUDGED = map(os.path.abspath, sys.argv[1:4])
SECONDS = 16
CULPRIT = "shop::session_index::remember"
FOLDER = tempfile.TemporaryDirectory(prefix="memwatch-verdicts-run-")
RUNS = [(kind, end) for kind in ("leaking", "healthy") for end in ("return", "exit", "threads", "fork")]
DONE = {}


def run(kind, end):
    report = os.path.join(FOLDER.name, f"{kind}-{end}.json")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_") and k != "LD_PRELOAD"}
    done = subprocess.run([MEMWATCH, "run", "--preset", "full", "--epoch", "250ms", "--report", report, "--fail-on-leak", "--", JUDGED, str(SECONDS),
                           kind, end], capture_output=True, text=True, timeout=SECONDS + 60, env={**kept, "MEMWATCH_PRELOAD_LIBRARY": PRELOAD},
                          check=False)
    with open(report, encoding="utf-8") as text:
        truth = {int(pid): (int(size), int(count)) for pid, size, count in (line.split() for line in done.stdout.splitlines())}
        return done, json.load(text), truth


def one_more(*options):
    """The leaking program for half the time, with options."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_") and k != "LD_PRELOAD"}
    return subprocess.run([MEMWATCH, "run", "-q", "--preset", "full", "--epoch", "250ms", "--fail-on-leak", *options, "--", JUDGED, str(SECONDS / 2),
                           "leaking", "return"], capture_output=True, text=True, timeout=SECONDS + 60,
                          env={**kept, "MEMWATCH_PRELOAD_LIBRARY": PRELOAD}, check=False).returncode


def setUpModule():
    with concurrent.futures.ThreadPoolExecutor(len(RUNS)) as pool:
        for which, result in zip(RUNS, pool.map(lambda each: run(*each), RUNS)):
            DONE[which] = result


class RunVerdictsTest(unittest.TestCase):
    def each(self, kind):
        for (of, end), result in DONE.items():
            if of == kind:
                with self.subTest(end=end):
                    yield end, *result

    def test_the_leak_is_named_and_nobody_else(self):
        for _, done, report, truth in self.each("leaking"):
            self.assertEqual(done.returncode, 1, done.stderr)
            accused = [f for f in report["findings"] if f["verdict"] != "none"]
            self.assertEqual({f["function"] for f in accused}, {CULPRIT}, [f["sentence"] for f in accused])
            self.assertEqual({f["process"] for f in accused}, set(truth))
            self.assertIn(f"leak: {CULPRIT}", done.stderr)

    def test_what_it_holds_is_what_was_kept_when_main_ended_and_destructors_change_nothing(self):
        for _, _, report, truth in self.each("leaking"):
            for finding in report["findings"]:
                if finding["verdict"] == "leak":
                    self.assertEqual((finding["bytes"], finding["objects"]), truth[finding["process"]])

    def test_findings_have_what_their_readers_need(self):
        for _, _, report, _ in self.each("leaking"):
            finding = next(f for f in report["findings"] if f["verdict"] == "leak")
            self.assertEqual(finding["class"], "leak_retained")
            self.assertEqual(os.path.realpath(finding["module"]), os.path.realpath(JUDGED))
            self.assertTrue(any(CULPRIT in frame for frame in finding["stack"]))
            self.assertGreater(finding["rate_bytes_per_s"], 0)
            self.assertGreater(finding["confidence"], 0.5)
            self.assertIsNone(finding["holder"])
            self.assertTrue(finding["evidence"]["features"])

    def test_who_puts_back_is_not_accused(self):
        for _, done, report, _ in self.each("healthy"):
            self.assertEqual([f["sentence"] for f in report["findings"] if f["verdict"] != "none"], [])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(report["findings"])

    def test_a_baseline_that_held_as_much_acquits_and_a_threshold_spares_the_small(self):
        # Its own dump says that it leaks, and then it is a baseline for nobody; one that had one look alone is taken at its word.
        def dumps(name, **more):
            folder = os.path.join(FOLDER.name, name)
            kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_") and k != "LD_PRELOAD"}
            subprocess.run([MEMWATCH, "run", "-q", "--preset", "full", "--dump-dir", folder, "--", JUDGED, str(SECONDS / 2), "leaking", "return"],
                           capture_output=True, timeout=SECONDS + 60, env={**kept, "MEMWATCH_PRELOAD_LIBRARY": PRELOAD, **more}, check=True)
            return os.path.join(folder, os.listdir(folder)[0])
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            unjudged = pool.submit(dumps, "unjudged")
            judged = pool.submit(dumps, "judged", MEMWATCH_VERDICTS="on", MEMWATCH_EPOCH="250ms")
            small = pool.submit(one_more, "--threshold", "1GiB")
            nowhere = pool.submit(one_more, "--baseline", os.path.join(FOLDER.name, "nowhere"))
            self.assertEqual(small.result(), 0)
            self.assertEqual(nowhere.result(), 125)
            acquitted = pool.submit(one_more, "--baseline", unjudged.result())
            accused = pool.submit(one_more, "--baseline", judged.result())
            self.assertEqual((acquitted.result(), accused.result()), (0, 1))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
