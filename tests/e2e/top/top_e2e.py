#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""memwatch top as a person sees it: on a pseudo-terminal, before a service that leaks, key by key; and in a pipe.

    top_e2e.py MEMWATCH LEAKY [unittest arguments]

What the program writes goes through pyte, a terminal's state machine, so that the test reads the screen and not the escape
sequences. Nothing here waits for a time: every step waits for what the screen has to show.
"""
import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import unittest

try:
    import pyte
except ImportError:
    print("SKIP: python3-pyte is not installed (or not for", sys.executable + ")")
    sys.exit(77)

MEMWATCH, LEAKY = map(os.path.abspath, sys.argv[1:3])
LIMIT_SECONDS = 60
KEYS = {"up": "\x1bOA", "down": "\x1bOB", "right": "\x1bOC", "left": "\x1bOD", "page_down": "\x1b[6~", "enter": "\r", "escape": "\x1b"}


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM", "COLUMNS", "LINES") and not k.startswith("MEMWATCH_")}
    return {**kept, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **more}


def for_pyte(data):
    """What pyte 0.8 does not know, in words it knows: scrolling (ncurses goes to the region's edge first), repeated characters."""
    data = re.sub(rb"\x1b\[(\d*)S", lambda m: b"\n" * int(m[1] or 1), data)
    data = re.sub(rb"\x1b\[(\d*)T", lambda m: b"\x1bM" * int(m[1] or 1), data)
    data = re.sub(rb"(.)\x1b\[(\d+)b", lambda m: m[1] * (1 + int(m[2])), data)
    return re.sub(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]", b"", data)


class Terminal:
    """memwatch on a pseudo-terminal of a size, and the screen a person sees."""

    def __init__(self, *arguments, rows=24, columns=100, **more):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = self.unread = b""
        self.leader, self.follower = pty.openpty()
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.follower)
        self.process = subprocess.Popen([MEMWATCH, "top", *arguments], stdin=self.follower, stdout=self.follower, stderr=self.follower,
                                        env=environment(**more), start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def read(self, seconds):
        if not select.select([self.leader], [], [], seconds)[0]:
            return False
        data = os.read(self.leader, 65536)
        self.raw += data
        self.unread += data
        cut = re.search(rb"\x1b[^a-zA-Z]*$", self.unread)  # half a sequence waits for its rest
        ready, self.unread = (self.unread[:cut.start()], self.unread[cut.start():]) if cut else (self.unread, b"")
        self.stream.feed(for_pyte(ready))
        return True

    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def until(self, holds, what):
        deadline = time.monotonic() + LIMIT_SECONDS
        while not holds(self.lines()):
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"never: {what}; the screen:\n" + "\n".join(self.lines()))
            self.read(min(left, 1))
            if self.process.poll() is not None:
                while self.read(0):
                    pass
                if holds(self.lines()):
                    return self.lines()
                raise AssertionError(f"ended with {self.process.returncode} before: {what}; the screen:\n" + "\n".join(self.lines()))
        return self.lines()

    def shows(self, pattern):
        lines = self.until(lambda seen: any(re.search(pattern, line) for line in seen), pattern)
        return next(re.search(pattern, line) for line in lines if re.search(pattern, line))

    def no_longer_shows(self, pattern):
        self.until(lambda seen: not any(re.search(pattern, line) for line in seen), "no " + pattern)

    def press(self, *keys):
        for each in keys:
            os.write(self.leader, KEYS.get(each, each).encode())

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def ends(self):
        """The exit status; the terminal is checked to be as it was."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self.read(0.2)
        while self.read(0):
            pass
        assert termios.tcgetattr(self.follower) == self.before, "the line discipline is not as it was"
        assert self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h"), "still on the other screen"
        assert self.raw.rfind(b"\x1b[?25h") > self.raw.rfind(b"\x1b[?25l") or self.raw.rfind(b"\x1b[?12l\x1b[?25h") >= 0, "no cursor"
        os.close(self.leader)
        os.close(self.follower)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Answers(http.server.BaseHTTPRequestHandler):
    """A service of which the test says what it answers."""
    plan, asked, running, most_at_once = [], [], 0, 0
    lock = threading.Lock()

    def do_GET(self):
        with Answers.lock:
            Answers.asked.append((time.monotonic(), self.path))
            Answers.running += 1
            Answers.most_at_once = max(Answers.most_at_once, Answers.running)
            status, headers, body = Answers.plan.pop(0) if len(Answers.plan) > 1 else Answers.plan[0]
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except BrokenPipeError:
            pass  # who quits does not wait for an answer
        finally:
            with Answers.lock:
                Answers.running -= 1

    def log_message(self, *arguments):
        pass


def plain(*arguments, **more):
    return subprocess.run([MEMWATCH, "top", *arguments], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False, env=environment(**more))


def start_leaky(listen="127.0.0.1:0"):
    process = subprocess.Popen([LEAKY, "--leak-mib-per-s=16", "--seconds=600"], stdout=subprocess.PIPE, text=True,
                               env=environment(MEMWATCH_LISTEN=listen, MEMWATCH_INTERVAL="64KiB"))
    return process, process.stdout.readline().strip().removesuffix("/debug/memtrace")


class TopTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.leaky, cls.url = start_leaky()
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        cls.fake = f"http://127.0.0.1:{cls.server.server_address[1]}"
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        cls.leaky.kill()
        cls.leaky.wait()
        cls.leaky.stdout.close()

    def play(self, *plan):
        Answers.plan, Answers.asked, Answers.most_at_once = list(plan), [], 0

    def dump(self, target):
        import urllib.request
        with urllib.request.urlopen(self.url + target, timeout=LIMIT_SECONDS) as answer:
            return answer.read()

    # --- on a terminal

    def check_leak_is_seen(self, *service):
        with Terminal(*service, "--interval", "500ms", columns=130) as top:
            self.assertEqual(top.shows(r"memwatch top - (\w+), pid (\d+)").group(2), str(self.leaky.pid))
            top.shows(r"RSS \d.* live \d.* \+- .* R 64.0 KiB +drops 0 +self ")
            grown = top.shows(r" \+(\d+\.\d) MiB  .*leaky::handle +leaky/cache +/answers$")  # sure: no "?"
            self.assertGreater(float(grown.group(1)), 0)
            top.shows(r"\+\d+\.\d MiB/s")
            top.press("q")
            self.assertEqual(top.ends(), 0)

    def test_a_leak_is_seen_by_url(self):
        self.check_leak_is_seen(self.url)

    def test_a_leak_is_seen_by_pid(self):
        self.check_leak_is_seen(f"pid:{self.leaky.pid}")
        self.check_leak_is_seen("--pid", str(self.leaky.pid))

    def test_keys_change_what_is_shown(self):
        with Terminal(self.url, "--interval", "500ms", columns=130) as top:
            top.shows("leaky::handle")
            top.shows(r"GROWTH v")
            top.press("l")
            top.shows(r"LIVE v")
            top.press("R")
            top.shows(r"LIVE \^")
            top.press(">")
            top.shows(r"GROWTH v")
            top.press("left")
            top.shows(r"LIVE v")
            top.press("n")
            top.shows(r"SITE \^")
            top.press("v")
            tags = top.until(lambda lines: any("tags by" in line for line in lines) and any("leaky/cache" in line for line in lines), "tags")
            self.assertTrue(any(line.split()[0:1] and "untagged" in line for line in tags), tags)
            top.press("g")  # by growth: the leaking tag is first
            top.until(lambda lines: "leaky/cache" in lines[4] and "+" in lines[4], "the tag first, with growth")
            top.press("R")  # reversed: last
            top.until(lambda lines: len(lines) > 4 and "leaky/cache" not in lines[4] and any("leaky/cache" in line for line in lines[5:]), "the tag last")
            top.press("/", "cach")
            top.shows("filter: cach_")
            top.press("enter")
            top.shows('filter "cach"')
            top.no_longer_shows("untagged")
            top.press("escape")
            top.shows("untagged")
            for by in ("routes", "threads", "types", "pools"):
                top.press("v")
                top.shows(f"{by} by growth")
            top.press("v")
            top.shows("sites by growth")
            top.press("?")
            top.shows("Enter +stack of the chosen row")
            top.press("q")  # back, not out
            top.shows("leaky::handle")
            top.press("enter")
            top.shows(r"allocated by")
            top.shows(r"leaky.cpp:\d+")
            top.press("escape")
            top.shows("sites by growth")
            top.press("q")
            self.assertEqual(top.ends(), 0)

    def test_a_mark_begins_growth_anew(self):
        with Terminal(self.url, "--interval", "500ms", columns=130) as top:
            top.until(lambda lines: any(re.search(r"growth in [3-9]\.\d s", line) for line in lines), "three seconds")
            top.press("b")
            top.shows(r"growth in (0 s|[01]\.\d s)")
            top.press("q")
            self.assertEqual(top.ends(), 0)

    def test_paused_means_that_nothing_is_asked(self):
        body = self.dump("/debug/memtrace/snapshot?format=memtrace")
        self.play((200, {}, body))
        with Terminal(self.fake, "--interval", "500ms", "--no-symbols") as top:
            top.shows("leaky")
            top.press("p")
            top.shows("^paused")
            asked = len(Answers.asked)
            top.press("R", "R", "?", "escape")
            top.read(1.5)  # three intervals of nothing: a bound, not a synchronisation
            self.assertLessEqual(len(Answers.asked), asked + 1)
            top.press("p")
            top.no_longer_shows("^paused")
            top.press("q")
            self.assertEqual(top.ends(), 0)

    def test_a_new_size_is_drawn(self):
        with Terminal(self.url, "--interval", "500ms", rows=24, columns=80) as top:
            top.shows("leaky::handle")
            self.assertFalse(any("ROUTE" in line for line in top.lines()))
            top.resize(30, 140)
            top.shows(r"SITE.*TAG.*ROUTE")
            top.until(lambda lines: len(lines) == 30 and "q quit" in lines[29], "the keys in the last line")
            top.resize(8, 40)
            top.until(lambda lines: len(lines) == 8 and "q quit" in lines[7] and any("LIVE" in line for line in lines), "a small one")
            top.resize(2, 10)
            top.resize(24, 80)
            top.until(lambda lines: len(lines) == 24 and "q quit" in lines[23], "the first size again")
            top.press("q")
            self.assertEqual(top.ends(), 0)

    def test_other_terminals(self):
        for term in ("linux", "screen", "tmux-256color", "vt100"):
            with self.subTest(term=term), Terminal(self.url, "--interval", "500ms", TERM=term) as top:
                top.shows("leaky::handle")
                top.press("q")
                deadline = time.monotonic() + LIMIT_SECONDS
                while top.process.poll() is None and time.monotonic() < deadline:
                    top.read(0.2)
                self.assertEqual(top.process.returncode, 0)
                self.assertEqual(termios.tcgetattr(top.follower), top.before)

    def test_no_terminal_to_draw_on_means_lines(self):
        for term in ("dumb", "no-such-terminal"):
            with self.subTest(term=term), Terminal(self.url, "--interval", "500ms", TERM=term) as top:
                top.shows(r"\+\d.* leaky::handle")
                self.assertNotIn(b"\x1b[?1049h", top.raw)

    def test_signals_give_the_terminal_back(self):
        for number, status in ((signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP),
                               (signal.SIGQUIT, -signal.SIGQUIT)):
            with self.subTest(signal=number), Terminal(self.url, "--interval", "500ms") as top:
                top.shows("leaky::handle")
                top.process.send_signal(number)
                self.assertEqual(top.ends(), status)
        with Terminal(self.url, "--interval", "500ms") as top:
            top.shows("leaky::handle")
            top.press("\x03")  # Ctrl-C as it is typed
            self.assertEqual(top.ends(), 0)

    def test_a_service_that_goes_is_said_and_asked_again(self):
        leaky, url = start_leaky()
        address = url.removeprefix("http://")
        try:
            with Terminal(url, "--interval", "500ms") as top:
                top.shows("leaky::handle")
                leaky.kill()
                leaky.wait()
                leaky.stdout.close()
                top.shows("no answer: .*trying again")
                self.assertTrue(any("leaky::handle" in line for line in top.lines()), "what was known stays")
                leaky, _ = start_leaky(address)
                top.shows("the service was restarted")
                top.no_longer_shows("no answer")
                top.press("q")
                self.assertEqual(top.ends(), 0)
        finally:
            leaky.kill()
            leaky.wait()
            leaky.stdout.close()

    def test_a_service_that_never_answered_is_4(self):
        with Terminal("127.0.0.1:1", "--interval", "500ms") as top:
            top.shows("no answer yet: .*trying again")
            top.press("q")
            self.assertEqual(top.ends(), 4)
            self.assertIn(b"memwatch: ", top.raw[top.raw.rfind(b"\x1b[?1049l"):])

    def test_a_refused_question_is_not_repeated(self):
        self.play((403, {}, b"no token is configured\n"))
        with Terminal(self.fake) as top:
            self.assertEqual(top.ends(), 2)
            self.assertIn(b"403", top.raw[top.raw.rfind(b"\x1b[?1049l"):])
        self.assertEqual(len(Answers.asked), 1)

    def test_hostile_names_stay_words(self):
        import urllib.request
        whole = json.loads(self.dump("/debug/memtrace/snapshot?format=json"))
        text = json.dumps(whole)
        text = text.replace("leaky/cache", "evil\\u001b[2J\\u001b]0;title\\u0007\\u202egpj").replace('"leaky"', '"\\u001b[31mred\\r\\n"')
        self.play((200, {}, text.encode()))
        with Terminal(self.fake, "--interval", "500ms", "--no-symbols", columns=200) as top:
            top.shows(r"evil\\x1b\[2J")
            self.assertNotIn(b"\x1b]0;", top.raw)
            self.assertNotIn(b"evil\x1b", top.raw)
            self.assertNotIn(b"\x1b[31mred", top.raw)
            top.press("q")
            self.assertEqual(top.ends(), 0)
        shown = plain(self.fake, "--count", "1", "--no-symbols").stdout
        self.assertNotIn("\x1b", shown)
        self.assertIn("evil\\x1b", shown)

    def test_wide_characters_stay_on_their_line(self):
        text = self.dump("/debug/memtrace/snapshot?format=json").decode().replace("leaky/cache", "\u6f22\u5b57" * 12)
        self.play((200, {}, text.encode()))
        with Terminal(self.fake, "--interval", "500ms", "--no-symbols", columns=120) as top:
            top.shows("\u6f22")
            self.assertEqual(sum("\u6f22" in line for line in top.lines()), 1)
            top.press("q")
            self.assertEqual(top.ends(), 0)

    # --- manners

    def test_one_question_at_a_time_and_records_seldom(self):
        summary = self.dump("/debug/memtrace/snapshot?format=memtrace&records=0")
        whole = self.dump("/debug/memtrace/snapshot?format=memtrace")
        self.play((200, {}, whole), (200, {}, summary))
        done = plain(self.fake, "--count", "4", "--interval", "500ms", "--json", "--no-symbols")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(Answers.most_at_once, 1)
        self.assertEqual(["records=0" in path for _, path in Answers.asked], [False, True, True, True])
        apart = [later - earlier for (earlier, _), (later, _) in zip(Answers.asked, Answers.asked[1:])]
        self.assertGreater(min(apart), 0.4)
        looks = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(looks[-1]["rows"][0]["route"], "/answers", "a summary keeps the route of the look before")

    def test_a_429_is_waited_for(self):
        whole = self.dump("/debug/memtrace/snapshot?format=memtrace")
        self.play((429, {"Retry-After": "2"}, b"one at a time\n"), (200, {}, whole))
        done = plain(self.fake, "--count", "2", "--interval", "500ms", "--no-symbols")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("429", done.stderr)
        self.assertGreaterEqual(Answers.asked[1][0] - Answers.asked[0][0], 1.9)

    def test_a_service_that_knows_no_summaries(self):
        whole = self.dump("/debug/memtrace/snapshot?format=memtrace")
        self.play((200, {}, whole), (400, {}, b"records: unknown parameter\n"), (200, {}, whole))
        done = plain(self.fake, "--count", "3", "--interval", "500ms", "--json", "--no-symbols")
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (0, 3), done.stderr)
        self.assertEqual(sum("records=0" in path for _, path in Answers.asked), 1)

    # --- lines

    def test_lines_in_a_pipe(self):
        done = plain(self.url, "--count", "3", "--interval", "500ms")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("\x1b", done.stdout)
        self.assertEqual(done.stdout.count("memwatch top - leaky"), 3)
        last = done.stdout.split("memwatch top - ")[3]
        self.assertRegex(last, r"\+\d+\.\d [KM]iB\??  .*leaky::handle +leaky/cache +/answers")

    def test_json_lines(self):
        for by, name in (("site", "leaky::handle"), ("tag", "leaky/cache"), ("route", "/answers"), ("thread", "leaky"), ("type", "char")):
            with self.subTest(by=by):
                done = plain(f"pid:{self.leaky.pid}", "--json", "--count", "2", "--interval", "500ms", "--by", by)
                looks = [json.loads(line) for line in done.stdout.splitlines()]
                self.assertEqual([look["kind"] for look in looks], ["memwatch.top"] * 2)
                row = next(row for row in looks[1]["rows"] if name in row["name"])
                self.assertGreater(row["growth_bytes"]["estimate"], 0)
                self.assertGreater(looks[1]["growth_bytes"]["estimate"], 0)
        exact = looks = None
        done = plain(self.url, "--json", "--count", "1", "--by", "tag")
        exact = json.loads(done.stdout)["rows"][0]["live_bytes"]
        self.assertEqual(exact["standard_error"], 0)

    def test_nobody_there_is_4_and_wrong_usage_is_2(self):
        done = plain("127.0.0.1:1", "--count", "2", "--interval", "500ms")
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        self.assertEqual(done.stderr.count("memwatch: "), 1, "the same trouble is said once")
        for arguments, says in (([], "SERVICE"), (["dump.memtrace"], "no running service"), ([self.url, "--interval", "100ms"], "500ms"),
                                ([self.url, "--by", "planet"], "--by planet: use site, tag"), ([self.url, "--sort", "smell"], "--sort smell"),
                                ([self.url, "--format", "md"], "--format md")):
            done = plain(*arguments)
            self.assertEqual(done.returncode, 2, (arguments, done.stderr))
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=1)
