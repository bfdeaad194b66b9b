# SPDX-License-Identifier: Apache-2.0
"""`memwatch gate` as a build uses it: two real builds, baselines in a git repository, the files that build servers read.

    test_gate.py MEMWATCH PRELOAD BASE HEAD MAKE_HOSTILE SOURCE_ROOT [unittest arguments]
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

from two_builds import BREACHED, FINE, UNREACHABLE, UNREADABLE, USAGE, Gate

MEMWATCH, PRELOAD, BASE, HEAD, MAKE_HOSTILE, SOURCE_ROOT = map(os.path.abspath, sys.argv[1:7])
POLICY = "max_growth: 128KiB\nsites:\n  - {match: 'orders::audit', max_growth: 2MiB, reason: an audit log}\n"


class GateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="memwatch-gate-")
        cls.folder = cls.temporary.name
        cls.gate = Gate(MEMWATCH, PRELOAD, cls.folder)
        cls.base = cls.gate.dump(BASE, "base", "256")
        cls.head = cls.gate.dump(HEAD, "head", "256")  # 256 x 4 KiB are lost

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def setUp(self):
        self.cwd = tempfile.mkdtemp(dir=self.folder)  # no test sees another one's policy

    def path(self, name, text=None):
        path = os.path.join(self.cwd, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def read(self, name):
        with open(os.path.join(self.cwd, name), encoding="utf-8") as file:
            return file.read()

    def run_gate(self, *arguments, status=None, **more):
        return self.gate(*arguments, status=status, cwd=self.cwd, **more)

    # --- judging

    def test_the_leak_of_another_build_is_named_and_the_warm_cache_is_not(self):
        done = self.run_gate(self.base, self.head, "--source-root", SOURCE_ROOT, status=BREACHED)
        first = done.stdout.splitlines()[0]
        self.assertIn("FAILED", first)
        self.assertIn("orders::audit", first)
        self.assertIn("+1.0 MiB", first)
        self.assertIn("tests/e2e/gate/victim.cpp:", first)
        self.assertNotIn("fill_cache", done.stdout)

    def test_a_build_that_did_not_grow_passes(self):
        self.run_gate(self.base, self.base, status=FINE)
        self.run_gate(self.head, self.base, status=FINE)

    def test_limits_budgets_and_suppressions(self):
        self.run_gate(self.base, self.head, "--max-growth", "2MiB", "--max-total", "2MiB", status=FINE)
        self.run_gate(self.base, self.head, "--max-growth", "2MiB", status=BREACHED)  # the total has its own
        self.run_gate(self.base, self.head, "--site-budget", "orders::audit=2MiB", status=FINE)
        self.run_gate(self.base, self.head, "--site-budget", "re:^orders::(au|x)=1KiB", status=BREACHED)
        silent = self.path("lsan.supp", "# known\nleak:^orders::audit\n")
        done = self.run_gate(self.base, self.head, "--suppressions", silent, status=FINE)
        self.assertIn("suppressed", done.stdout)
        self.run_gate(self.base, self.head, "--suppressions", self.path("file.supp", "leak:victim.cpp\n"), status=FINE)
        done = self.run_gate(self.base, self.head, "--suppressions", self.path("none.supp", "leak:nobody\n"), status=BREACHED)
        self.assertIn("nothing fits the suppression leak:nobody", done.stdout)
        self.run_gate(self.base, self.head, "--exit-zero", status=FINE)

    def test_a_policy_in_the_folder_is_found_and_said(self):
        self.path("memwatch-gate.yml", POLICY)
        done = self.run_gate(self.base, self.head, status=FINE)
        self.assertIn("policy memwatch-gate.yml", done.stdout)
        self.assertIn("an audit log", done.stdout)
        self.run_gate(self.base, self.head, "--no-config", status=BREACHED)
        self.run_gate(self.base, self.head, "--site-budget", "audit=1KiB", status=BREACHED)  # what is typed wins
        other = self.path("other.yml", "suppression_files: [deep/lsan.supp]\n")
        os.mkdir(self.path("deep"))
        self.path("deep/lsan.supp", "leak:orders::audit\n")
        self.run_gate(self.base, self.head, "--config", other, status=FINE)

    def test_a_sampled_run_says_what_it_could_not_have_seen(self):
        dumps = os.path.join(self.cwd, "sampled")
        os.mkdir(dumps)
        subprocess.run([MEMWATCH, "run", "--interval", "1MiB", "--quiet", "--dump-dir", dumps, "--", BASE, "256"], check=True,
                       env=self.gate.environment, capture_output=True)
        sampled = os.path.join(dumps, os.listdir(dumps)[0])
        done = self.run_gate(sampled, sampled, status=FINE)
        self.assertIn("no power: site growth has the limit 128.0 KiB", done.stdout)

    # --- the baseline

    def test_a_baseline_in_git_changes_by_lines_and_only_when_told(self):
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", self.cwd]
        subprocess.run([*git, "init", "-q"], check=True)
        done = self.run_gate("--update-baseline", "memory.baseline", self.base, status=FINE)
        self.assertIn("new", done.stdout)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", "baseline"], check=True)

        self.run_gate("memory.baseline", self.base, status=FINE)
        self.run_gate("memory.baseline", self.head, status=BREACHED)
        self.assertEqual(subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True).stdout, b"")

        again = self.gate.dump(BASE, "base-again-" + os.path.basename(self.cwd), "256")
        self.run_gate("--update-baseline", "memory.baseline", again, status=FINE)
        self.assertEqual(subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True).stdout, b"",
                         "another run of the same build is the same baseline")

        done = self.run_gate("--update-baseline", "memory.baseline", self.head, status=FINE)
        self.assertIn("WIDENED", done.stdout)
        self.assertIn("orders::audit", done.stdout)
        changed = subprocess.run([*git, "diff", "--numstat"], check=True, capture_output=True, text=True).stdout.split()
        self.assertLessEqual(int(changed[0]), 6, changed)  # the header, the new site, and what main's changed line moved
        self.run_gate("memory.baseline", self.head, status=FINE)

    def test_a_baseline_is_what_every_command_reads(self):
        self.run_gate("--update-baseline", "m.baseline", self.base, status=FINE)
        shown = subprocess.run([MEMWATCH, "show", "m.baseline", "--by", "site"], cwd=self.cwd, env=self.gate.environment, capture_output=True,
                               text=True, check=True)
        self.assertIn("fill_cache", shown.stdout)
        subprocess.run([MEMWATCH, "diff", "m.baseline", self.head], cwd=self.cwd, env=self.gate.environment, capture_output=True, check=True)

    def test_a_file_that_is_no_baseline_is_never_overwritten(self):
        self.path("precious.txt", "precious\n")
        self.run_gate("--update-baseline", "precious.txt", self.base, status=UNREADABLE)
        self.assertEqual(self.read("precious.txt"), "precious\n")

    def test_a_baseline_that_was_cut_is_unreadable(self):
        self.run_gate("--update-baseline", "m.baseline", self.base, status=FINE)
        text = self.read("m.baseline")
        self.path("cut.baseline", text[:text.rindex("{")])
        self.assertIn("promises", self.run_gate("cut.baseline", self.base, status=UNREADABLE).stderr)

    # --- outputs

    def test_files_for_build_servers(self):
        self.run_gate(self.base, self.head, "--junit", "j.xml", "--sarif", "s.sarif", "--markdown", "m.md", "--source-root", SOURCE_ROOT,
                      status=BREACHED)
        subprocess.run(["xmllint", "--noout", self.path("j.xml")], check=True)
        suite = ElementTree.parse(self.path("j.xml")).getroot().find("testsuite")
        self.assertEqual([c.get("name") for c in suite.findall("testcase")], ["site growth", "total growth"])
        self.assertEqual(len(suite.findall("testcase/failure")), int(suite.get("failures")))
        result = json.loads(self.read("s.sarif"))["runs"][0]["results"][0]
        location = result["locations"][0]["physicalLocation"]
        self.assertEqual(location["artifactLocation"]["uri"], "tests/e2e/gate/victim.cpp")
        self.assertEqual(len(result["partialFingerprints"]["memwatchSite/v1"]), 16)
        self.assertNotIn(SOURCE_ROOT, self.read("s.sarif"))
        self.assertIn("| **FAILED** |", self.read("m.md"))

    def test_json_says_everything(self):
        report = json.loads(self.run_gate(self.base, self.head, "--json", "--source-root", SOURCE_ROOT, status=BREACHED).stdout)
        self.assertTrue(report["breached"])
        item = report["rules"][0]["items"][0]
        self.assertEqual((item["name"], item["result"], item["file"]), ("orders::audit", "breached", "tests/e2e/gate/victim.cpp"))

    def test_a_session_of_github_actions(self):
        summary = self.path("summary.md", "# earlier step\n")
        script = f"""
            {MEMWATCH} gate --update-baseline memory.baseline {self.base}
            {MEMWATCH} gate memory.baseline {self.base} --github
            {MEMWATCH} gate memory.baseline {self.head} --github --sarif memory.sarif --source-root {SOURCE_ROOT}
            echo never reached"""
        # As the runner starts a `run:` step.
        done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], cwd=self.cwd, capture_output=True, text=True,
                              env={**self.gate.environment, "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary}, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertNotIn("never reached", done.stdout)
        annotations = [line for line in done.stdout.splitlines() if line.startswith("::")]
        self.assertRegex(annotations[0], r"^::error file=tests/e2e/gate/victim.cpp,line=\d+,title=memwatch gate%3A site growth::\+1.0 MiB")
        text = self.read("summary.md")
        self.assertTrue(text.startswith("# earlier step\n"))
        self.assertEqual(text.count("### "), 2)  # the step that passed, and the one that did not
        self.assertTrue(os.path.exists(self.path("memory.sarif")))

    def test_hostile_names_leave_their_place_nowhere(self):
        subprocess.run([MAKE_HOSTILE, self.cwd], check=True)
        done = self.run_gate("base.memtrace", "head.memtrace", "--github", "--no-symbols", "--junit", "j.xml", "--sarif", "s.sarif",
                             "--markdown", "m.md", status=BREACHED)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        self.assertFalse([line for line in done.stdout.splitlines() if line.startswith("::error::")])
        subprocess.run(["xmllint", "--noout", self.path("j.xml")], check=True)
        json.loads(self.read("s.sarif"))
        self.assertNotIn("\x1b", self.read("m.md"))
        self.run_gate("--update-baseline", "h.baseline", "head.memtrace", "--no-symbols", status=FINE)
        self.run_gate("h.baseline", "head.memtrace", "--no-symbols", status=FINE)

    # --- what goes wrong

    def test_usage_is_2(self):
        for arguments in ([], [self.base], [self.base, self.head, "--max-growth", "lots"], [self.base, self.head, "--tag-budget", "x"],
                          [self.base, self.head, "--tag-budget", "x=y"], [self.base, self.head, "--site-budget", "re:(=1MiB"],
                          [self.base, self.head, "--alertmanager", "https://x"], [self.base, self.head, "--alert-label", "a"],
                          [self.base, self.head, "--alert-label", "severity=x"], [self.base, self.head, "--alert-for", "0s"],
                          [self.base, self.head, "--format", "pdf"], ["--update-baseline", "x", self.base, self.head],
                          [self.base, self.head, "--config", "a", "--no-config"]):
            with self.subTest(arguments=arguments):
                self.assertTrue(self.run_gate(*arguments, status=USAGE).stderr)

    def test_unreadable_is_3(self):
        bad = self.path("bad.yml", "max_growht: 1MiB\n")
        os.mkfifo(self.path("fifo"))
        for arguments in (["missing", self.head], [self.base, "missing"], [self.base, self.head, "--config", "missing"],
                          [self.base, self.head, "--config", bad], [self.base, self.head, "--suppressions", bad],
                          [self.base, self.head, "--suppressions", "fifo"], [bad, self.head], ["fifo", self.head]):
            with self.subTest(arguments=arguments):
                self.assertTrue(self.run_gate(*arguments, status=UNREADABLE).stderr)
        self.assertIn("bad.yml:1", self.run_gate(self.base, self.head, "--config", bad, status=UNREADABLE).stderr)

    def test_half_a_dump_lets_no_build_pass(self):
        for name, whole in (("base", self.base), ("head", self.head)):
            with open(whole, "rb") as file:
                data = file.read()
            statuses = set()
            for part in range(1, 16):
                with open(self.path("cut.memtrace"), "wb") as file:
                    file.write(data[:len(data) * part // 16])
                inputs = ["cut.memtrace", self.base] if name == "base" else [self.base, "cut.memtrace"]
                statuses.add(self.run_gate(*inputs).returncode)
            self.assertLessEqual(statuses, {UNREADABLE} if name == "base" else {UNREADABLE, BREACHED})

    def test_nobody_there_is_4_and_hides_no_result(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
            self.run_gate(url, self.head, status=UNREACHABLE)
            self.run_gate(self.base, self.base, "--alertmanager", url, status=UNREACHABLE)
            done = self.run_gate(self.base, self.head, "--alertmanager", url, status=BREACHED)
            self.assertIn("the alert was not taken", done.stderr)
            self.run_gate(self.base, self.head, "--alertmanager", url, "--exit-zero", status=UNREACHABLE)

    def test_an_output_that_cannot_be_written_is_3_and_hides_no_result(self):
        self.run_gate(self.base, self.base, "--sarif", "no/such/folder/s.sarif", status=UNREADABLE)
        self.run_gate(self.base, self.head, "--sarif", "no/such/folder/s.sarif", status=BREACHED)


if __name__ == "__main__":
    for needed in ("xmllint", "git"):
        if shutil.which(needed) is None:
            print(f"{needed} is not installed (tests/support/packages.sh tests)")
            sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[7:]])
