# SPDX-License-Identifier: Apache-2.0
"""`memwatch run` and --pid on real processes: statuses, signals, refusals, reports, children, other users, hosts that close everything.

    test_run.py MEMWATCH PRELOAD VICTIM [unittest arguments]
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

MEMWATCH, PRELOAD, VICTIM = map(os.path.abspath, sys.argv[1:4])
FAILED, NOT_EXECUTABLE, NOT_FOUND, UNREACHABLE, USAGE = 125, 126, 127, 4, 2
LIMIT_SECONDS = 30
NOBODY = 65534
TOKEN = "e2e-token-0123456789"


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_") and k != "LD_PRELOAD"}
    return {**kept, "MEMWATCH_PRELOAD_LIBRARY": PRELOAD, **more}


def memwatch(*arguments, user=None, **more):
    def become():
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
    return subprocess.run([MEMWATCH, *arguments], capture_output=True, text=True, timeout=LIMIT_SECONDS, env=environment(**more), check=False,
                          preexec_fn=become if user is not None else None)


def status_of(pid):
    done = memwatch("control", "--pid", str(pid))
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


class Running:
    """A victim under `memwatch run`, or alone with the preload object; up to its word `wait`."""

    def __init__(self, *words, run=None, prefix=(), **more):
        command = [MEMWATCH, "run", *run, "--", VICTIM] if run is not None else [*prefix, VICTIM]
        variables = environment(**more)
        if run is None:
            variables.update({"LD_PRELOAD": PRELOAD, "MEMWATCH_CONTROL": "on"})
        self.process = subprocess.Popen([*command, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=variables)
        self.pid = int(self.process.stdout.readline().split()[1])

    def go_on(self):
        out = self.process.communicate("\n\n\n", timeout=LIMIT_SECONDS)
        return self.process.returncode, out[1]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.terminate()  # memwatch run passes it on, and clears up
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait(LIMIT_SECONDS)


class RunTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="memwatch-run-test-")
        self.addCleanup(self.folder.cleanup)
        os.chmod(self.folder.name, 0o755)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def report_of(self, *words, options=(), **more):
        file = self.path("report.json")
        done = memwatch("run", "--preset", "full", "--report", file, *options, "--", VICTIM, *words, **more)
        with open(file, encoding="utf-8") as text:
            return done, json.load(text)

    def compile(self, name, *options):
        compiler = shutil.which("cc") or self.skipTest("no C compiler")
        done = subprocess.run([compiler, "-x", "c", "-", "-o", self.path(name), *options], input="int main(void) { return 0; }\n", text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest("cannot build " + name)
        return self.path(name)

    def refused(self, status, says, *arguments):
        done = memwatch("run", *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(says, done.stderr)

    # --- statuses and signals

    def test_the_programs_status_is_ours(self):
        for words, status in ((["exit=0"], 0), (["exit=7"], 7), (["_exit=9"], 9), (["kill=9"], 137), (["kill=15"], 143)):
            with self.subTest(words=words):
                self.assertEqual(memwatch("run", "-q", "--", VICTIM, *words).returncode, status)
                self.assertEqual(memwatch("run", "-q", VICTIM, *words).returncode, status)

    def test_what_cannot_be_run_is_said_as_env_and_timeout_do(self):
        self.refused(NOT_FOUND, "no such program", "--", "no-such-program-anywhere")
        self.refused(NOT_FOUND, "no such file", "--", self.path("nothing"))
        with open(self.path("data"), "w", encoding="utf-8") as file:
            file.write("hello\n")
        self.refused(NOT_EXECUTABLE, "may be executed", "--", self.path("data"))
        os.chmod(self.path("data"), 0o755)
        # Executable, but no format the kernel knows: the shell's, as for execvp.
        self.assertEqual(memwatch("run", "-q", "--", self.path("data")).returncode, 127)
        self.refused(FAILED, "127.0.0.1", "--metrics", "127.0.0.1", "--", VICTIM)

    def test_signals_reach_the_program(self):
        with Running("term", "wait", run=["-q"]) as it:
            it.process.send_signal(signal.SIGTERM)
            self.assertEqual(it.go_on()[0], 42)

    def test_a_preload_of_the_users_is_kept(self):
        done = memwatch("run", "-q", "--", "/usr/bin/env", LD_PRELOAD="/nonexistent/mine.so")
        self.assertIn("LD_PRELOAD=" + os.path.realpath(PRELOAD) + ":/nonexistent/mine.so\n", done.stdout)

    def test_the_length_of_an_epoch_is_checked_and_passed_on(self):
        done = memwatch("run", "-q", "--epoch", "250ms", "--", "/usr/bin/env")
        self.assertIn("MEMWATCH_EPOCH=250ms\n", done.stdout)
        done = memwatch("run", "--epoch", "soon", "--", "/usr/bin/env")
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("--epoch", done.stderr)

    # --- refusals

    def test_static_programs_are_refused_with_the_reason(self):
        self.refused(FAILED, "statically linked", "--", self.compile("static", "-static"))
        self.refused(FAILED, "static-PIE", "--", self.compile("static-pie", "-static-pie", "-fPIE"))

    def test_sanitized_programs_are_refused(self):
        self.refused(FAILED, "AddressSanitizer", "--", self.compile("asan", "-fsanitize=address"))
        self.refused(FAILED, "ThreadSanitizer", "--", self.compile("tsan", "-fsanitize=thread"))

    def test_set_user_id_programs_are_refused(self):
        copy = shutil.copy(VICTIM, self.path("suid"))
        os.chmod(copy, 0o4755)
        self.refused(FAILED, "set-user-ID", "--", copy)

    def test_other_machines_are_refused(self):
        with open(VICTIM, "rb") as file:
            bytes_of = bytearray(file.read())
        bytes_of[18:20] = (243).to_bytes(2, "little")  # EM_RISCV
        with open(self.path("riscv"), "wb") as file:
            file.write(bytes_of)
        os.chmod(self.path("riscv"), 0o755)
        self.refused(FAILED, "another machine", "--", self.path("riscv"))

    def test_scripts_run_and_their_interpreters_are_judged(self):
        static = self.compile("interpreter", "-static")
        for name, first, status in (("fine", "/bin/sh", 5), ("static-script", static, FAILED)):
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(f"#!{first}\nexit 5\n")
            os.chmod(self.path(name), 0o755)
            self.assertEqual(memwatch("run", "-q", "--", self.path(name)).returncode, status)

    # --- what is live at the end

    def test_the_report_says_what_is_live_by_site(self):
        done, report = self.report_of("churn=1000", "keep=1048576", "exit=3")
        self.assertEqual((done.returncode, report["status"], report["kind"]), (3, 3, "memwatch.report"))
        process = report["processes"][0]
        site = process["sites"][0]
        self.assertIn("keep_blocks", site["name"])
        self.assertEqual((site["live_bytes"], site["live_objects"], site["standard_error_bytes"]), (1048576, 1024, 0))
        self.assertTrue(any("victim.cpp" in line.get("file", "") for frame in site["stack"] for line in frame["lines"]))
        self.assertAlmostEqual(sum(s["live_bytes"] for s in process["sites"]) + process["other_sites_bytes"], process["live_bytes"], delta=1)
        self.assertIn("keep_blocks", done.stderr)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("report.json")).st_mode), 0o600)

    def test_each_end_leaves_a_dump(self):
        for words in (["exit=0"], ["_exit=0"], []):
            with self.subTest(words=words):
                self.assertEqual(self.report_of("keep=10240", *words)[1]["processes"][0]["sites"][0]["live_bytes"], 10240)
        report = self.report_of("keep=10240", "kill=9")[1]
        self.assertEqual(report["processes"], [])
        self.assertIn("no dump", report["remarks"][0])

    def test_children_of_fork_and_exec_have_their_own(self):
        report = self.report_of("keep=20480", "fork", "keep=10240")[1]
        self.assertEqual([p["live_bytes"] >= 30720 for p in report["processes"]], [True, True])
        self.assertNotEqual(report["processes"][0]["session"], report["processes"][1]["session"])
        report = self.report_of("keep=20480", "fork", "exec", "keep=10240")[1]
        self.assertEqual([p["sites"][0]["live_bytes"] for p in report["processes"]], [10240, 10240])

    def test_a_program_of_root_may_drop_its_privileges(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        report = self.report_of("keep=20480", f"user={NOBODY}")[1]
        self.assertEqual(report["processes"][0]["sites"][0]["live_bytes"], 20480)

    def test_dumps_are_kept_where_that_is_wanted_and_nowhere_else(self):
        before = set(os.listdir(tempfile.gettempdir()))
        self.assertEqual(memwatch("run", "-q", "--dump-dir", self.path("dumps"), "--", VICTIM, "fork").returncode, 0)
        dumps = os.listdir(self.path("dumps"))
        self.assertEqual(len(dumps), 2)
        shown = memwatch("show", "--by", "process", *(os.path.join(self.path("dumps"), d) for d in dumps))
        self.assertEqual(shown.stdout.count("at its end"), 2)
        self.assertEqual([n for n in set(os.listdir(tempfile.gettempdir())) - before if n.startswith("memwatch-run-")
                          and not n.startswith("memwatch-run-test-")], [])

    def test_what_is_kept_is_no_leak(self):
        for words in (["keep=1000000"], ["keep=1000000", "exit=3"]):
            done = memwatch("run", "-q", "--preset", "full", "--fail-on-leak", "--", VICTIM, *words)
            self.assertEqual(done.returncode, 3 if "exit=3" in words else 0, done.stderr)

    def test_a_program_in_which_nothing_was_judged_has_no_findings(self):
        self.assertEqual(self.report_of("exit=0")[1]["findings"], [])

    # --- while it runs

    def test_a_running_process_answers_and_is_steered(self):
        with Running("keep=2097152", "wait", run=["-q", "--control", "--interval", "4KiB"]) as it:
            status = status_of(it.pid)
            self.assertEqual((status["preset"], status["interval_bytes"], status["door"], status["state"]), ("on", "4096", "preload", "running"))
            self.assertIn("glibc", status["allocator"])
            for action, state in (("stop", "paused"), ("resume", "running")):
                self.assertEqual(memwatch("control", "--pid", str(it.pid), action).returncode, 0)
                self.assertEqual(status_of(it.pid)["state"], state)
            memwatch("control", "--pid", str(it.pid), "set", "--preset", "full", "--interval", "64KiB")
            self.assertEqual(status_of(it.pid)["preset"], "full")
            file = self.path("now.memtrace")
            self.assertEqual(memwatch("snapshot", "--pid", str(it.pid), "--label", "now", "-o", file).returncode, 0)
            for arguments in (["show", "--pid", str(it.pid)], ["show", file], ["show", "--by", "process", f"pid:{it.pid}"]):
                self.assertIn("keep_blocks", memwatch(*arguments).stdout)
            self.assertIn('"now"', memwatch("diff", file, f"pid:{it.pid}").stdout)
            self.assertEqual(it.go_on()[0], 0)

    def test_nobody_there_is_4(self):
        with subprocess.Popen(["sleep", "30"]) as plain:
            done = memwatch("control", "--pid", str(plain.pid))
            plain.kill()
        self.assertEqual(done.returncode, UNREACHABLE)
        self.assertIn("no control socket", done.stderr)
        done = memwatch("snapshot", "--pid", str(plain.pid))
        self.assertEqual(done.returncode, UNREACHABLE)
        self.assertIn("no such process", done.stderr)

    def test_a_host_that_closes_everything_still_answers(self):
        with Running("close", "wait") as it:
            for _ in range(3):
                self.assertEqual(status_of(it.pid)["pid"], str(it.pid))

    def test_a_new_image_and_a_forked_child_answer_for_themselves(self):
        with Running("exec", "wait") as it:
            self.assertEqual(status_of(it.pid)["pid"], str(it.pid))
        with Running("fork", "wait") as it:
            self.assertEqual(status_of(it.pid)["pid"], str(it.pid))  # the child speaks first: its parent waits for it

    def test_other_users_are_refused_and_root_is_not(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        with Running("wait") as it:
            done = memwatch("control", "--pid", str(it.pid), user=NOBODY)
            self.assertEqual(done.returncode, UNREACHABLE)
            self.assertIn("another user", done.stderr)
        with Running(f"user={NOBODY}", "wait") as it:
            self.assertEqual(status_of(it.pid)["pid"], str(it.pid))
            deadline = time.monotonic() + 15  # bound anew for the new user when the worker looks up
            while memwatch("control", "--pid", str(it.pid), user=NOBODY).returncode != 0:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.2)

    def test_a_process_in_a_container_is_found(self):
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            self.skipTest("needs root and unshare")
        prefix = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "sh", "-c", 'mount -t tmpfs none /tmp && exec "$@"', "sh"]
        try:
            it = Running("wait", prefix=prefix)
        except (IndexError, ValueError):
            self.skipTest("namespaces are not to be had")
        with it:
            children = subprocess.run(["pgrep", "-P", str(it.process.pid)], capture_output=True, text=True, check=False).stdout.split()
            status = status_of(int(children[0]))
            self.assertEqual(status["pid"], "1")

    def test_sockets_go_with_their_processes(self):
        folder = self.path("runtime")
        os.mkdir(folder, 0o700)
        with Running("wait", XDG_RUNTIME_DIR=folder) as killed:
            self.assertEqual(len(os.listdir(os.path.join(folder, "memwatch"))), 1)
            killed.process.kill()
            killed.process.wait()
        with Running("wait", XDG_RUNTIME_DIR=folder) as it:
            deadline = time.monotonic() + 10
            while len(os.listdir(os.path.join(folder, "memwatch"))) != 1:  # the leftover goes, soon after the start
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            self.assertEqual(it.go_on()[0], 0)
        self.assertEqual(os.listdir(os.path.join(folder, "memwatch")), [])

    # --- over HTTP

    def test_the_parent_serves_what_its_children_answer(self):
        with Running("keep=1048576", "title", "fork", "wait", run=["-q", "--preset", "full", "--metrics", "127.0.0.1:0"], MEMWATCH_TOKEN=TOKEN) as it:
            address = it.process.stderr.readline().split()[1].removesuffix("/metrics")

            def fetch(target, body=None, **headers):
                request = urllib.request.Request(address + target, data=body, headers=headers)
                try:
                    with urllib.request.urlopen(request, timeout=LIMIT_SECONDS) as answer:
                        return answer.status, answer.read().decode()
                except urllib.error.HTTPError as refused:
                    return refused.code, refused.read().decode()

            status, page = fetch("/metrics")
            self.assertEqual(status, 200)
            pids = sorted({int(line.split('pid="')[1].split('"')[0]) for line in page.splitlines() if line.startswith("memwatch_up{")})
            self.assertEqual(len(pids), 2, page)
            self.assertEqual(page.count("# TYPE memwatch_up "), 1)
            for pid in pids:
                self.assertIn("keep_blocks", fetch(f"/debug/memtrace?pid={pid}&top=3")[1])
            self.assertIn("keep_blocks", fetch("/debug/memtrace")[1])
            self.assertEqual(fetch("/debug/memtrace?pid=1")[0], 404)
            self.assertEqual(fetch("/debug/memtrace?pid=x")[0], 400)
            control = f"/debug/memtrace/control?pid={pids[1]}"
            self.assertEqual(fetch(control, b"action=pause")[0], 401)
            status, answer = fetch(control, b"action=pause", Authorization="Bearer " + TOKEN)
            self.assertEqual((status, json.loads(answer)["state"]), (200, "paused"))
            self.assertEqual([status_of(pid)["state"] for pid in pids], ["running", "paused"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=1)
