#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memwatch as a shell, a script and a person see it: exit codes, stdout, stderr, files.

    test_cli.py MEMWATCH MAKE_DUMPS VICTIM [unittest arguments]
"""

import http.server
import json
import os
import pty
import resource
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from urllib.parse import parse_qs, urlsplit

MEMWATCH, MAKE_DUMPS, VICTIM = map(os.path.abspath, sys.argv[1:4])
FINE, FOUND, USAGE, UNREADABLE, UNREACHABLE = range(5)
LIMIT_SECONDS = 20
CACHE = tempfile.TemporaryDirectory(prefix="memwatch-cache-")  # not the one of whoever runs this


def clean_environment(**more):
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    return {**kept, "TERM": "xterm", "XDG_CACHE_HOME": CACHE.name, **more}


def memwatch(*arguments, **more):
    return subprocess.run([MEMWATCH, *arguments], capture_output=True, timeout=LIMIT_SECONDS, env=clean_environment(**more), check=False)


def on_terminal(stream, *arguments, **more):
    """Runs memwatch with `stream` (1 or 2) on a pseudo-terminal; returns (exit status, what the terminal saw)."""
    leader, follower = pty.openpty()
    streams = {1: {"stdout": follower, "stderr": subprocess.DEVNULL}, 2: {"stdout": subprocess.DEVNULL, "stderr": follower}}[stream]
    process = subprocess.Popen([MEMWATCH, *arguments], env=clean_environment(**more), stdin=subprocess.DEVNULL, **streams)
    os.close(follower)
    seen = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not chunk:
            break
        seen += chunk
    os.close(leader)
    return process.wait(LIMIT_SECONDS), seen


class Service(http.server.BaseHTTPRequestHandler):
    """Plays a service. Class attributes say what it answers."""
    body, status, delay_seconds, targets = b"", 200, 0.0, []

    def do_GET(self):
        Service.targets.append(self.path)
        time.sleep(Service.delay_seconds)
        self.send_response(Service.status)
        self.send_header("Content-Length", str(len(Service.body)))
        self.end_headers()
        self.wfile.write(Service.body)

    def log_message(self, *arguments):
        pass


class CliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="memwatch-cli-")
        cls.dir = cls.folder.name
        victim = dict(line.split("=", 1) for line in subprocess.run([VICTIM], capture_output=True, text=True, check=False).stdout.split())
        cls.victim = victim
        subprocess.run([MAKE_DUMPS, cls.dir, VICTIM] + [victim[k] for k in ("build_id", "start", "limit", "file_offset", "outer_return")],
                       check=True)
        cls.before, cls.after = cls.path("before.memtrace"), cls.path("after.memtrace")
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        cls.port = cls.server.server_address[1]
        cls.url = f"http://127.0.0.1:{cls.port}"
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.dir, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def answer(self, body, status=200, delay_seconds=0.0):
        Service.body, Service.status, Service.delay_seconds, Service.targets = body, status, delay_seconds, []

    def expect(self, status, *arguments, says="", **more):
        done = memwatch(*arguments, **more)
        message = f"{arguments}: {done.returncode}, stderr {done.stderr.decode(errors='replace')}"
        self.assertEqual(done.returncode, status, message)
        self.assertIn(says, done.stderr.decode(errors="replace"), message)
        if status > FOUND:
            self.assertEqual(done.stdout, b"", "an error leaves stdout empty")
            self.assertTrue(done.stderr.startswith(b"memwatch: "), message)
        return done

    # --- usage

    def test_help_and_version_go_to_stdout(self):
        self.assertIn(b"memwatch 0.", self.expect(FINE, "--version").stdout)
        self.assertIn(b"Exit codes: 0 fine, 1", self.expect(FINE, "--help").stdout)
        for command in ("show", "diff", "snapshot"):
            self.assertIn(f"memwatch {command} ".encode(), self.expect(FINE, command, "--help").stdout.split(b"Examples:")[1])

    def test_options_are_listed_as_text_and_as_json(self):
        listed = json.loads(memwatch("options", "--json").stdout)
        self.assertEqual(listed["kind"], "memwatch.options")
        interval = next(each for each in listed["options"] if each["name"] == "interval")
        self.assertEqual((interval["environment"], interval["default"], interval["changes"]), ("MEMWATCH_INTERVAL", "1MiB", "runtime"))
        self.assertIn("MEMWATCH_TOKEN_FILE", memwatch("options").stdout.decode())

    def test_wrong_usage_is_2_and_names_what(self):
        b, a = self.before, self.after
        self.expect(USAGE, says="no command given")
        for arguments, says in (
                (["frobnicate"], "frobnicate"),
                (["diff", b], "AFTER"),
                (["diff", b, a, "--bogus"], "--bogus"),
                (["diff", b, a, "--threshold", "ten"], "--threshold ten"),
                (["diff", b, a, "--threshold", "10XB"], "10XB"),
                (["diff", b, a, "--by", "colour"], "--by"),
                (["diff", b, a, "--focus", "re:("], "re:("),
                (["diff", b, a, "--top", "-1"], "'-1' is no whole number from 0 on"),
                (["show", "--pid", "-3"], "'-3' is no process id, a whole number from 1 on"),
                (["control", "--pid", "abc"], "'abc' is no process id"),
                (["footprint", "--pid", "0"], "'0' is no process id"),
                (["diff", b, a, "--format", "pdf"], "--format pdf"),
                (["diff", b, a, "--format", "md", "--json"], "--json"),
                (["diff", b, a, "--color", "blue"], "--color blue"),
                (["show", a, "--format", "md"], "--format md"),
                (["show", a, "--by", "planet"], "--by planet"),
                (["show", a, "--by", "tag", "--sort", "smell"], "sort"),
                (["show", a, "--by", "tag", "--cursor", "x"], "cursor"),
                (["show", a, "--sort", "tag"], "--by"),
                (["snapshot"], "--url"),
                (["snapshot", "--pid", "1", "--duration", "301s"], "--duration"),
                (["snapshot", "--pid", "1", "--duration", "0s"], "--duration"),
                (["run"], "PROGRAM"),
                (["run", "--preset", "most", "--", "ls"], "--preset most"),
                (["run", "--threshold", "ten", "--", "ls"], "--threshold ten"),
                (["control", "--pid", "1", "explode"], "explode"),
                (["control", "--pid", "1", "set"], "NAME=VALUE"),
                (["control", "--pid", "1", "set", "interval"], "NAME=VALUE"),
                (["control", "--pid", "1", "set", "interval=1 stop"], "NAME=VALUE"),
                (["show", b, "--since-baseline"], "no baseline was marked"),
                (["show", "--by", "process"], "INPUT"),
                (["show", "a", "b"], "--by process"),
                (["snapshot", "--url", self.url, "--duration", "5"], "--duration 5"),
                (["snapshot", "--url", self.url, "--format", "pdf"], "--format pdf"),
                (["show", "https://127.0.0.1:9467"], "only http"),
                (["show", "http://me@127.0.0.1:9467"], "user names"),
                (["show", "http://127.0.0.1:99999"], "port"),
                (["show", "http://"], "host name"),
                (["show", "http://a b:1"], "spaces")):
            with self.subTest(arguments=arguments):
                self.expect(USAGE, *arguments, says=says)

    # --- input

    def test_unreadable_input_is_3_and_names_the_file(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        for path in (self.path("missing"), self.dir, fifo, "/dev/null", self.write("empty", b""), self.write("text", b"hello\n"),
                     self.write("cut.json", self.read(self.path("after.json"))[:20]),
                     self.write("cut.memtrace", self.read(self.after)[:9])):
            with self.subTest(path=path):
                self.expect(UNREADABLE, "show", path, says=path)
                self.expect(UNREADABLE, "diff", self.before, path, says=path)

    def test_a_socket_given_as_a_file_is_3_and_says_how_to_ask_it(self):
        path = self.path("service.sock")
        with socket.socket(socket.AF_UNIX) as service:
            service.bind(path)
            self.expect(UNREADABLE, "show", path, says="write unix:" + path)

    def test_a_truncated_dump_is_shown_as_far_as_it_goes_with_a_warning(self):
        whole = self.read(self.after)
        done = memwatch("show", self.write("half.memtrace", whole[:len(whole) - 10]))
        self.assertEqual(done.returncode, FINE, done.stderr)
        self.assertIn(b"warning: ", done.stderr)
        self.assertIn(b"orders", done.stdout)
        delta = json.loads(memwatch("diff", self.before, self.path("half.memtrace"), "--json").stdout)
        self.assertTrue(any("half.memtrace" in warning for warning in delta["warnings"]), delta["warnings"])

    def test_any_cut_or_flipped_byte_is_an_error_or_a_warning_never_a_crash(self):
        whole = bytearray(self.read(self.after))
        for step in range(40):
            at = step * len(whole) // 40
            for name, bytes_ in (("c.memtrace", whole[:at]), ("f.memtrace", whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1:])):
                done = memwatch("diff", "--no-symbols", self.before, self.write(name, bytes_))
                self.assertIn(done.returncode, (FINE, UNREADABLE), (at, done.stderr))
                self.assertTrue(done.stderr, "damage is never silent")

    # --- targets

    def test_nobody_there_is_4(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
            port = free.getsockname()[1]
            self.expect(UNREACHABLE, "show", f"http://127.0.0.1:{port}", says=f"127.0.0.1:{port}")
            self.expect(UNREACHABLE, "diff", self.before, f"localhost:{port}")
            self.expect(UNREACHABLE, "snapshot", "--url", f"http://127.0.0.1:{port}", "-o", self.path("never"))
        self.assertFalse(os.path.exists(self.path("never")))
        self.expect(UNREACHABLE, "show", "http://no-such-host.invalid:9467", says="no-such-host.invalid")

    def test_what_does_not_speak_http_is_4(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def answer():
                connection, _ = listener.accept()
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                connection.close()
            threading.Thread(target=answer, daemon=True).start()
            self.expect(UNREACHABLE, "show", f"http://127.0.0.1:{listener.getsockname()[1]}")

    def test_answers_that_are_no_snapshot(self):
        for status, body, expected in ((404, b"no label 'x'\n", UNREADABLE), (500, b"broken", UNREACHABLE), (503, b"stopped", UNREACHABLE),
                                       (400, b"format: bad\x1b[2J", USAGE), (302, b"", UNREACHABLE), (200, b"<html>", UNREADABLE),
                                       (200, b"", UNREADABLE)):
            with self.subTest(status=status, body=body):
                self.answer(body, status)
                done = self.expect(expected, "show", self.url, says="" if status == 200 else str(status))
                self.assertNotIn(b"\x1b", done.stderr)

    def test_url_arguments(self):
        for argument, target in ((self.url, "/debug/memtrace/snapshot?format=memtrace"),
                                 (self.url + "/", "/debug/memtrace/snapshot?format=memtrace"),
                                 (f"127.0.0.1:{self.port}", "/debug/memtrace/snapshot?format=memtrace"),
                                 (self.url + "/debug/memtrace", "/debug/memtrace/snapshot?format=memtrace"),
                                 (self.url + "/inner/debug/memtrace/snapshot?label=a&format=json",
                                  "/inner/debug/memtrace/snapshot?label=a&format=json")):
            with self.subTest(argument=argument):
                self.answer(self.read(self.after))
                self.expect(FINE, "show", argument)
                self.assertEqual(Service.targets, [target])

    def test_a_file_that_looks_like_an_address_is_a_file(self):
        os.link(self.after, self.path("host:1"))
        done = subprocess.run([MEMWATCH, "show", "host:1"], capture_output=True, cwd=self.dir, timeout=LIMIT_SECONDS, check=False)
        self.assertEqual(done.returncode, FINE, done.stderr)

    # --- answers

    def test_diff_names_the_culprit_first(self):
        first = self.expect(FINE, "diff", self.before, self.after).stdout.decode().splitlines()[0]
        for fact in ("orders::request_cache::remember", "src/orders/request_cache.cpp:42", "request-cache", "/api/v2/orders", "/s",
                     "standard errors"):
            self.assertIn(fact, first)

    def test_exit_code_1_only_when_asked_and_something_grew(self):
        self.expect(FINE, "diff", self.before, self.after)
        self.expect(FOUND, "diff", self.before, self.after, "--exit-code")
        self.expect(FOUND, "diff", self.before, self.after, "--exit-code", "--by", "tag", "--json")
        self.expect(FINE, "diff", self.after, self.after, "--exit-code")
        self.expect(FINE, "diff", self.after, self.before, "--exit-code")
        self.expect(FINE, "diff", self.before, self.after, "--exit-code", "--threshold", "1GB")
        self.expect(FINE, "diff", self.before, self.after, "--exit-code", "--focus", "*nothing*")

    def test_any_number_of_snapshots_side_by_side(self):
        text = self.expect(FINE, "diff", self.before, self.after, self.after).stdout.decode()
        self.assertRegex(text, r"key metrics +before +during +after\n")
        self.assertIn("fragmentation", text)
        delta = json.loads(self.expect(FINE, "diff", self.before, self.before, self.after, self.after, "--json").stdout)
        metrics = {row["name"]: row for row in delta["metrics"]["rows"]}
        self.assertEqual(len(delta["metrics"]["columns"]), 4)
        self.assertEqual(metrics["fragmentation"]["values"], [None] * 4)
        self.assertEqual(metrics["live_bytes"]["values"][0], metrics["live_bytes"]["values"][1])
        self.assertEqual(len(delta["rows"][0]["during_bytes"]), 2)
        two = self.expect(FINE, "diff", self.before, self.after).stdout.decode()
        self.assertIn("key metrics", two)
        self.assertNotIn("fragmentation", two)
        self.expect(UNREADABLE, "diff", self.before, self.path("no-such-file"), self.after, says="no-such-file")
        self.expect(USAGE, "diff", self.before, says="AFTER")

    def test_every_row_is_in_one_cluster_and_its_rank_is_told(self):
        delta = json.loads(self.expect(FINE, "diff", self.before, self.after, "--json", "--top", "0").stdout)
        ranks = sorted(rank for cluster in delta["clusters"] for rank in cluster["rows"])
        self.assertEqual(ranks, [row["rank"] for row in delta["rows"]])
        first = delta["rows"][0]
        self.assertAlmostEqual(first["score"], 0.40 * first["volatility"] + 0.35 * first["long_lived"] + 0.25 * first["weight"], places=2)
        self.assertIn("score   ", self.expect(FINE, "diff", self.before, self.after).stdout.decode())
        self.expect(FINE, "diff", self.before, self.after, "--each-stack")

    def test_rankings_and_weights(self):
        def first(*how, **more):
            return json.loads(self.expect(FINE, "diff", self.before, self.after, "--json", *how, **more).stdout)
        for name in ("weighted", "steady", "bytes"):
            self.assertEqual(first("--rank", name)["ranking"], name)
        self.expect(USAGE, "diff", self.before, self.after, "--rank", "size", says="--rank size")
        self.assertEqual(first()["rows"][0]["weight"], 0.5)
        self.assertEqual(first("--tag-weights", "request-cache=0.9")["rows"][0]["weight"], 0.9)
        self.assertEqual(first(MEMWATCH_TAG_WEIGHTS="request-cache=0.2")["rows"][0]["weight"], 0.2)
        both = first("--tag-weights", "request-cache=0.9", MEMWATCH_TAG_WEIGHTS="request-cache=0.2")
        self.assertEqual(both["rows"][0]["weight"], 0.9)
        for bad in ("request-cache=2", "request-cache=nan", "request-cache=-1", "request-cache", "a=1,a=0"):
            self.expect(USAGE, "diff", self.before, self.after, "--tag-weights", bad, says="--tag-weights ")
        self.expect(USAGE, "diff", self.before, self.after, says="MEMWATCH_TAG_WEIGHTS ", MEMWATCH_TAG_WEIGHTS="x=5")
        self.expect(FINE, "diff", self.before, self.after, "--tag-weights", "nobody=1", says="no tag is called nobody")

    def test_json_everywhere_parses(self):
        kinds = {}
        for by in ("site", "type", "tag", "pool", "thread", "route", "trace"):
            kinds[by] = json.loads(self.expect(FINE, "show", self.after, "--by", by, "--json").stdout)["kind"]
            delta = json.loads(self.expect(FINE, "diff", self.before, self.after, "--by", by, "--format", "json").stdout)
            self.assertEqual((delta["kind"], delta["by"]), ("memwatch.delta", by))
        self.assertEqual(kinds["route"], "memwatch.routes")
        summary = json.loads(self.expect(FINE, "show", self.after, "--json").stdout)
        self.assertEqual(summary["tags"]["rows"][0]["tag"], "request-cache")
        self.assertEqual(summary["tags"]["rows"][0]["live_bytes"], 59_000_000)
        self.assertIn("standard_error", summary["sites"]["rows"][0]["live_bytes"])

    def test_survivors_only(self):
        def samples(*how):
            rows = json.loads(self.expect(FINE, "show", self.after, "--by", "site", "--json", *how).stdout)["rows"]
            return sum(row["samples"] for row in rows)
        # 600 blocks were born in epochs 13 to 19 of 22.
        self.assertGreaterEqual(samples("--survivors", "3"), 600)
        self.assertEqual(samples("--survivors", "9") - samples("--survivors", "10"), 90)
        self.assertGreater(samples("--survivors", "10"), 0)
        self.assertEqual(samples("--survivors", "1000"), 0)
        self.assertLess(0, samples("--min-depth", "3"))
        self.assertEqual(samples("--min-depth", "4"), 0)
        for how in (["--survivors", "10"], ["--survivors", "10", "--by", "route"]):
            self.assertIn(b"only blocks alive for 10 epochs", self.expect(FINE, "show", self.after, *how).stdout)

    def test_formats_of_one_dump_say_the_same(self):
        for name in ("before", "after"):
            self.assertEqual(self.expect(FINE, "show", self.path(name + ".json")).stdout,
                             self.expect(FINE, "show", self.path(name + ".memtrace")).stdout)

    def test_markdown(self):
        text = self.expect(FINE, "diff", self.before, self.after, "--format", "md").stdout.decode()
        self.assertTrue(text.startswith("### Memory: "))
        self.assertIn("| 1 | `orders::request_cache::remember` |", text)

    def test_pages(self):
        seen, cursor = [], []
        for _ in range(10):
            page = json.loads(self.expect(FINE, "show", self.after, "--by", "trace", "--top", "100", "--json", *cursor).stdout)
            seen += [row["trace_id"] for row in page["rows"]]
            if page["cursor"] is None:
                break
            cursor = ["--cursor", page["cursor"]]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(len(seen), page["total_rows"])

    def test_hostile_names_do_not_reach_the_terminal(self):
        hostile = self.path("hostile.json")
        runs = [["show", hostile], ["show", hostile, "--json"], ["diff", self.before, hostile],
                ["diff", self.before, hostile, "--format", "md"], ["diff", self.before, hostile, "--json"]]
        runs += [["show", hostile, "--by", by] for by in ("site", "type", "tag", "pool", "thread", "route", "trace")]
        for arguments in runs:
            with self.subTest(arguments=arguments):
                done = memwatch(*arguments)
                self.assertEqual(done.returncode, FINE, done.stderr)
                for output in (done.stdout, done.stderr):
                    for bad in (b"\x1b", b"\x07", b"\xe2\x80\xae", b"\r"):
                        self.assertNotIn(bad, output)
                self.assertIn(b"evil", done.stdout)
        self.expect(UNREADABLE, "show", "missing\x1b[2J", says="missing\\x1b[2J")

    # --- names

    def test_names_come_from_the_program_on_this_machine(self):
        real = self.path("real.json")
        text = self.expect(FINE, "show", real, "--by", "site", "--json").stdout.decode()
        stack = json.loads(text)["rows"][0]["stack"]
        self.assertIn("inner_inline", stack[0])
        self.assertTrue(stack[0].endswith("victim.cpp:" + self.victim["inner_line"]), stack)
        self.assertEqual(stack[2].split()[0], "orders::outer_call")
        plain = json.loads(self.expect(FINE, "show", real, "--by", "site", "--json", "--no-symbols").stdout)
        self.assertTrue(plain["rows"][0]["function"].startswith("victim-pie+0x"))

    def test_another_build_is_refused_by_name(self):
        dump = json.loads(self.read(self.path("real.json")))
        dump["modules"][0]["build_id"] = "00" * 20
        done = self.expect(FINE, "show", self.write("other.json", json.dumps(dump).encode()))
        self.assertIn(b"another build", done.stderr)
        self.assertIn(VICTIM.encode(), done.stderr)
        self.assertNotIn(b"inner_inline", done.stdout)

    # --- terminal

    def test_colour_only_on_a_terminal(self):
        arguments = ["diff", self.before, self.after]
        self.assertNotIn(b"\x1b", memwatch(*arguments).stdout)
        self.assertIn(b"\x1b[", memwatch(*arguments, "--color", "always").stdout)
        self.assertIn(b"\x1b[", on_terminal(1, *arguments)[1])
        self.assertNotIn(b"\x1b[", on_terminal(1, *arguments, NO_COLOR="1")[1])
        self.assertIn(b"\x1b[", on_terminal(1, *arguments, NO_COLOR="")[1])
        self.assertNotIn(b"\x1b[", on_terminal(1, *arguments, TERM="dumb")[1])
        self.assertNotIn(b"\x1b[", on_terminal(1, *arguments, "--color", "never")[1])

    def test_progress_only_on_a_terminal_and_after_a_second(self):
        self.answer(self.read(self.after), delay_seconds=2.2)
        self.assertEqual(memwatch("snapshot", "--url", self.url, "-o", self.path("p1")).stderr, b"")
        status, seen = on_terminal(2, "snapshot", "--url", self.url, "-o", self.path("p2"))
        self.assertEqual(status, FINE)
        self.assertIn(b"taking a snapshot of", seen)
        self.assertTrue(seen.endswith(b"\r\x1b[K"), seen)
        self.answer(self.read(self.after))
        self.assertEqual(on_terminal(2, "snapshot", "--url", self.url, "-o", self.path("p3")), (FINE, b""))

    # --- snapshot

    def test_snapshot_writes_what_the_service_sent(self):
        self.answer(self.read(self.after))
        out = self.path("taken.memtrace")
        done = self.expect(FINE, "snapshot", "--url", self.url, "--label", "be fore&x", "--duration", "1500ms", "-o", out)
        self.assertIn(out.encode(), done.stdout)
        self.assertEqual(self.read(out), self.read(self.after))
        self.assertEqual(stat.S_IMODE(os.stat(out).st_mode), 0o600)
        query = parse_qs(urlsplit(Service.targets[0]).query)
        self.assertEqual(query, {"format": ["memtrace"], "label": ["be fore&x"], "seconds": ["2"]})
        written = json.loads(self.expect(FINE, "snapshot", "--url", self.url, "-o", out, "--json").stdout)
        self.assertEqual((written["file"], written["bytes"]), (out, len(self.read(self.after))))
        self.assertEqual(self.expect(FINE, "snapshot", "--url", self.url).stdout, self.read(self.after))
        self.expect(FINE, "diff", self.before, out)

    def test_snapshot_json_without_a_file_asks_for_json(self):
        self.answer(self.read(self.path("after.json")))
        json.loads(self.expect(FINE, "snapshot", "--url", self.url, "--json").stdout)
        self.assertIn("format=json", Service.targets[0])

    def test_a_failed_snapshot_keeps_the_old_file(self):
        out = self.write("old", b"old")
        self.answer(b"broken", 500)
        self.expect(UNREACHABLE, "snapshot", "--url", self.url, "-o", out)
        self.assertEqual(self.read(out), b"old")
        self.answer(self.read(self.after))
        self.expect(UNREADABLE, "snapshot", "--url", self.url, "-o", self.path("no/such/folder/x"), says="no/such/folder")

    def test_binary_does_not_go_to_a_terminal(self):
        self.answer(self.read(self.after))
        self.assertEqual(on_terminal(1, "snapshot", "--url", self.url), (USAGE, b""))

    def test_a_full_disk_is_no_success(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([MEMWATCH, "show", self.after], stdout=full, stderr=subprocess.PIPE, timeout=LIMIT_SECONDS, check=False)
        self.assertEqual(done.returncode, UNREADABLE)
        self.assertIn(b"standard output", done.stderr)

    def test_merge_names_what_it_leaves_out_and_merges_the_rest(self):
        out, cut = (os.path.join(self.dir, name) for name in ("fleet.memtrace", "cut.memtrace"))
        with open(cut, "wb") as file:
            file.write(self.read(self.after)[:-100])
        done = memwatch("merge", self.before, cut, "-o", out, "--report", "json", "--no-symbols")
        self.assertEqual(done.returncode, UNREADABLE)
        self.assertIn(b"cut.memtrace is left out", done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual((report["kind"], report["dumps"], len(report["unreadable"])), ("memwatch.fleet", 1, 1))
        self.assertEqual(memwatch("show", out, "--no-symbols").returncode, FINE)
        self.assertEqual(memwatch("merge", "-o", out).returncode, USAGE)
        self.assertEqual(memwatch("merge", cut, "-o", out).returncode, UNREADABLE)

    def test_a_merged_dump_is_not_merged_into_the_next_one(self):
        folder = os.path.join(self.dir, "fleet")
        os.mkdir(folder)
        with open(os.path.join(folder, "host.memtrace"), "wb") as file:
            file.write(self.read(self.after))
        out = os.path.join(folder, "all.memtrace")
        for _ in range(2):
            done = memwatch("merge", "--from-dir", folder, "-o", out, "--report", "json", "--no-symbols")
            self.assertEqual((done.returncode, json.loads(done.stdout)["dumps"]), (FINE, 1))

    def test_merge_does_with_the_threads_it_gets(self):
        out = os.path.join(self.dir, "alone.memtrace")
        _, hard = resource.getrlimit(resource.RLIMIT_STACK)
        if hard != resource.RLIM_INFINITY:
            self.skipTest("the limit of stacks cannot be raised here")

        def no_thread_fits():
            resource.setrlimit(resource.RLIMIT_STACK, (1 << 47, hard))

        done = subprocess.run([MEMWATCH, "merge", self.before, self.after, "-o", out, "--report", "json", "--workers", "2", "--no-symbols"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT_SECONDS, check=False, preexec_fn=no_thread_fits)
        self.assertEqual(done.returncode, FINE, done.stderr)

    def test_symbolize_writes_a_dump_and_refuses_half_a_one(self):
        out, cut = (os.path.join(self.dir, name) for name in ("named.memtrace", "half.memtrace"))
        done = memwatch("symbolize", self.after, "-o", out, "--no-cache")
        self.assertEqual(done.returncode, FINE, done.stderr)
        self.assertIn(b"frames have names", done.stdout)
        self.assertEqual(memwatch("show", out, "--no-symbols").returncode, FINE)
        with open(cut, "wb") as file:
            file.write(self.read(self.after)[:-100])
        self.assertEqual(memwatch("symbolize", cut, "-o", out).returncode, UNREADABLE)
        self.assertEqual(memwatch("symbolize", self.after, "-o", out, "--no-symbols").returncode, USAGE)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
