# SPDX-License-Identifier: Apache-2.0
"""`memwatch gate --alertmanager` against Debian's Alertmanager: the alert fires, reaches a receiver, and resolves.

    test_alertmanager.py MEMWATCH PRELOAD BASE HEAD [unittest arguments]
"""

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
from alertmanager import Alertmanager, Receiver, free_ports, skip_unless_installed
from two_builds import BREACHED, FINE, UNREACHABLE, Gate

MEMWATCH, PRELOAD, BASE, HEAD = map(os.path.abspath, sys.argv[1:5])
class AlertmanagerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="memwatch-alert-")
        cls.addClassCleanup(cls.temporary.cleanup)
        folder = cls.temporary.name
        cls.gate = Gate(MEMWATCH, PRELOAD, folder)
        cls.base = cls.gate.dump(BASE, "base", "256")
        cls.head = cls.gate.dump(HEAD, "head", "256")
        cls.receiver = Receiver()
        cls.addClassCleanup(cls.receiver.shutdown)
        cls.server = Alertmanager(folder, cls.receiver.server_address[1])
        cls.addClassCleanup(cls.server.stop)

    def judge(self, head, *more, base=None, urls=(), status, **environment):
        """The two builds have names of their own, which a service does not change when it is built again."""
        targets = [word for url in urls or (self.server.url,) for word in ("--alertmanager", url)]
        return self.gate(base or self.base, head, *targets, "--slo-id", self.slo, "--alert-label", "service=orders", *more, status=status,
                         **environment)

    @property
    def slo(self):
        return self.id().rsplit(".", 1)[1]

    def mine(self):
        return [a for a in self.server.active() if a["labels"].get("slo_id") == self.slo]

    def test_fires_and_resolves(self):
        self.judge(self.head, "--severity", "critical", "--alert-label", "team=shop", status=BREACHED, GITHUB_SERVER_URL="https://github.com",
                   GITHUB_REPOSITORY="shop/orders", GITHUB_RUN_ID="7")
        fired = self.receiver.wait_for("firing", slo_id=self.slo)
        labels = fired["labels"]
        self.assertEqual((labels["alertname"], labels["severity"], labels["team"]), ("MemoryRegressionBlock", "critical", "shop"))
        self.assertEqual(labels["function"], "orders::audit")
        self.assertEqual(len(labels["site"]), 16)
        self.assertEqual(labels["service"], "orders")
        self.assertIn("+1.0 MiB", fired["annotations"]["description"])
        self.assertTrue(fired["annotations"]["summary"])
        self.assertEqual(fired["generatorURL"], "https://github.com/shop/orders/actions/runs/7")
        active, = self.mine()
        self.assertGreater(active["endsAt"], active["startsAt"])

        # The same finding again is the same alert, with the same start.
        self.judge(self.head, "--severity", "critical", "--alert-label", "team=shop", status=BREACHED)
        again, = self.mine()
        self.assertEqual((again["fingerprint"], again["startsAt"]), (active["fingerprint"], active["startsAt"]))

        # A gate with other labels of its own passes: nothing of ours ends.
        self.judge(self.base, status=FINE)
        self.assertEqual(len(self.mine()), 1)

        # Ours passes, and says another severity: it knows the alert all the same.
        self.judge(self.base, "--alert-label", "team=shop", status=FINE)
        resolved = self.receiver.wait_for("resolved", slo_id=self.slo)
        self.assertEqual(resolved["labels"], labels)
        self.assertGreaterEqual(resolved["endsAt"], resolved["startsAt"])
        self.assertEqual(self.mine(), [])

    def test_another_finding_takes_the_place_of_the_first(self):
        self.judge(self.head, status=BREACHED)
        first = self.receiver.wait_for("firing", slo_id=self.slo)
        supp = os.path.join(self.temporary.name, "audit.supp")
        with open(supp, "w", encoding="utf-8") as file:
            file.write("leak:orders::audit\n")
        empty = os.path.join(self.temporary.name, "empty.baseline")
        self.gate("--update-baseline", empty, self.base, status=FINE)
        with open(empty, encoding="utf-8") as file:
            lines = file.read().splitlines()
        header = json.loads(lines[0])
        with open(empty, "w", encoding="utf-8") as file:
            file.write(json.dumps({**header, "sites": 0, "tags": 0}) + "\n")
        self.judge(self.head, "--suppressions", supp, base=empty, status=BREACHED)
        second = self.receiver.wait_for("firing", slo_id=self.slo, function="orders::fill_cache")
        self.assertNotEqual(second["labels"]["site"], first["labels"]["site"])
        self.receiver.wait_for("resolved", slo_id=self.slo, function="orders::audit")
        self.assertEqual([a["labels"]["function"] for a in self.mine()], ["orders::fill_cache"])

    def test_one_dead_peer_keeps_nobody_from_being_told(self):
        dead = f"http://127.0.0.1:{free_ports(1)[0]}"
        done = self.judge(self.head, urls=(dead, self.server.url + "/"), status=BREACHED)
        self.assertIn(dead[7:], done.stderr)
        self.receiver.wait_for("firing", slo_id=self.slo)
        self.judge(self.base, urls=(dead, self.server.url), status=FINE)
        self.receiver.wait_for("resolved", slo_id=self.slo)
        self.judge(self.base, urls=(dead,), status=UNREACHABLE)

    def test_a_refusal_is_told_in_the_server_s_words(self):
        done = self.judge(self.head, "--alert-source", "::not a url", status=BREACHED)
        self.assertIn("the alert was not taken", done.stderr)

    def test_nothing_is_posted_when_there_is_nothing_to_end(self):
        self.judge(self.base, status=FINE)
        self.assertEqual(self.mine(), [])


if __name__ == "__main__":
    skip_unless_installed()
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
