# SPDX-License-Identifier: Apache-2.0
"""What a program still holds when main returns or exit() is called is in its dump, though its destructors free it; with verdicts off the
dump comes after them.

    test_endings.py MEMWATCH PRELOAD PROGRAM [unittest arguments]
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

MEMWATCH, PRELOAD, PROGRAM = map(os.path.abspath, sys.argv[1:4])
BEFORE_DESTRUCTORS = ("return", "exit", "exit-from-a-thread")
WITHOUT_DESTRUCTORS = ("_exit", "quick_exit")
BLOCKS, BYTES = 50, 1000


class EndingsTest(unittest.TestCase):
    def dump_of(self, how, verdicts):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_") and k != "LD_PRELOAD"}
        with tempfile.TemporaryDirectory(prefix="memwatch-endings-") as folder:
            variables = {"LD_PRELOAD": PRELOAD, "MEMWATCH_PRESET": "full", "MEMWATCH_VERDICTS": verdicts, "MEMWATCH_DUMP_DIR": folder}
            done = subprocess.run([PROGRAM, how], env={**kept, **variables}, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 3, done.stderr)
            dumps = os.listdir(folder)
            self.assertEqual(len(dumps), 1, dumps)
            out = subprocess.run([MEMWATCH, "export", "--format", "json", os.path.join(folder, dumps[0])], env=kept, capture_output=True, timeout=60,
                                 check=True)
            return json.loads(out.stdout)

    def blocks_in(self, dump):
        return sum(1 for record in dump["live"] if record["size_bytes"] == BYTES)

    def test_what_destructors_free_is_still_there_when_leaks_are_judged(self):
        for verdicts in ("on", "automatic"):
            for how in BEFORE_DESTRUCTORS + WITHOUT_DESTRUCTORS:
                with self.subTest(verdicts=verdicts, how=how):
                    dump = self.dump_of(how, verdicts)
                    self.assertEqual(self.blocks_in(dump), BLOCKS)
                    self.assertTrue(dump["verdicts"])

    def test_without_verdicts_the_last_word_is_said_after_destructors(self):
        for how in BEFORE_DESTRUCTORS:
            with self.subTest(how=how):
                dump = self.dump_of(how, "off")
                self.assertEqual(self.blocks_in(dump), 0)
                self.assertFalse(dump["verdicts"])

    def test_an_exit_that_nobody_sees_still_leaves_a_dump(self):
        self.assertEqual(self.blocks_in(self.dump_of("errx", "on")), 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
