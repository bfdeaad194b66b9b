# SPDX-License-Identifier: Apache-2.0
"""The snapshots a service keeps of itself, from outside: a real process, killed and started again.

    history_e2e.py LEAKY MEMWATCH PRELOAD restart|damage|neighbours|memory

restart     kill -9, start again: diff?since and `memwatch diff --since` reach back into the life before; files are plain dumps
damage      torn, empty and foreign files in the folder are passed over and listed with the reason; nothing else is touched
neighbours  two processes on one folder keep apart, and each one's successor finds its own
memory      without a folder: by HTTP, at the control socket, and from the parent of `memwatch run --metrics`
"""
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

LEAKY, MEMWATCH, PRELOAD = map(os.path.abspath, sys.argv[1:4])
PATIENCE_SECONDS = 20


def check(holds, what):
    if not holds:
        raise AssertionError(what)


class Service:
    """leaky, which leaks 8 MiB a second under tag leaky/cache; R = 64 KiB, so that a second is enough to be sure."""

    def __init__(self, folder="", **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
        environment.update(MEMWATCH_LISTEN="127.0.0.1:0", MEMWATCH_INTERVAL="64KiB", MEMWATCH_HISTORY_EVERY="1s",
                           MEMWATCH_STATE_DIR=folder, **more)
        self.process = subprocess.Popen([LEAKY, "--leak-mib-per-s=8", "--seconds=300"], stdout=subprocess.PIPE, text=True,
                                        env={k: v for k, v in environment.items() if v})
        self.address = self.process.stdout.readline().strip().removeprefix("http://").removesuffix("/debug/memtrace")
        self.url = "http://" + self.address

    def ask(self, target):
        while True:
            connection = http.client.HTTPConnection(self.address, timeout=20)
            connection.request("GET", target)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 429:
                return answer.status, body.decode(errors="replace")
            time.sleep(0.3)

    def history(self):
        """As soon as memwatch's thread has opened it."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, body = self.ask("/debug/memtrace/snapshots")
            check(status == 200, body)
            found = json.loads(body)["history"]
            if found["where"]:
                return found
            check(time.monotonic() < until, f"never opened: {found}")
            time.sleep(0.05)

    def wait_for(self, snapshots):
        for_seconds = time.monotonic() + PATIENCE_SECONDS
        while len(self.history()["snapshots"]) < snapshots:
            check(time.monotonic() < for_seconds, f"{snapshots} snapshots were never kept: {self.history()}")
            time.sleep(0.1)
        return self.history()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def running(*arguments, **more):
    service = Service(*arguments, **more)
    try:
        yield service
    finally:
        service.kill()


def memwatch(*arguments, status=0):
    done = subprocess.run([MEMWATCH, *arguments], capture_output=True, text=True, timeout=60, check=False)
    check(done.returncode == status, f"memwatch {arguments} -> {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


def dumps_in(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".memtrace"))


def restart(folder):
    with running(folder) as first:
        check(first.wait_for(3)["where"] == folder, "it is not in the folder")
        check(first.ask("/debug/memtrace/diff?since=1d")[0] == 404, "a day ago there was nothing")
        session_of_first = first.history()["snapshots"][0]["name"][-8:]
        status, body = first.ask("/debug/memtrace/diff?since=1s")
        check(status == 200 and json.loads(body)["rows"][0]["bytes"] > 0, "the leak did not grow in a second: " + body[:500])
    kept = dumps_in(folder)
    check(len(kept) >= 3, f"kill -9 took the history along: {kept}")
    for name in kept:
        check(os.stat(os.path.join(folder, name)).st_mode & 0o777 == 0o600, f"{name} is not private")
        check("leaky" in memwatch("show", os.path.join(folder, name)), name)
    killed_at = time.time()
    with running(folder) as second:
        check(second.history()["where"] == folder, "it is not in the folder")
        old = [each for each in second.history()["snapshots"] if each["name"].endswith(session_of_first)]
        check(len(old) >= 3, f"the second life does not know the first: {second.history()}")
        age = int(time.time() - killed_at) + 1
        for text in (second.ask(f"/debug/memtrace/diff?since={age}s&format=text")[1],
                     memwatch("diff", "--since", f"{age}s", second.url),
                     memwatch("diff", "--since", f"{age}s", f"pid:{second.process.pid}")):
            check("different sessions" in text and "leaky::handle" in text, "no diff over the restart: " + text)
        status, body = second.ask(f"/debug/memtrace/diff?base={old[-1]['name']}")
        delta = json.loads(body)
        check(status == 200 and delta["before"]["session"] != delta["after"]["session"], body[:500])
        # The tag's exact bytes were more before the end than they are after a new beginning.
        check(delta["rows"][0]["bytes"] < 0, "a restart gave nothing back?")
        status, body = second.ask("/debug/memtrace/snapshot?past=0s&format=json")
        check(status == 200 and json.loads(body)["info"]["service"] == "leaky", body[:300])


def damage(folder):
    with running(folder) as first:
        first.wait_for(4)
    names = dumps_in(folder)

    def write(name, data):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
        os.chmod(os.path.join(folder, name), 0o600)

    with open(os.path.join(folder, names[1]), "rb") as file:
        whole = file.read()
    write(names[1], whole[:len(whole) // 2])
    write(names[2], b"")
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    foreign = f"history-leaky-0-{stamp}-0000abcd.memtrace"
    with tempfile.TemporaryDirectory() as elsewhere:
        with running(elsewhere, MEMWATCH_SERVICE="other") as other:
            other.wait_for(1)
        with open(os.path.join(elsewhere, dumps_in(elsewhere)[0]), "rb") as file:
            write(foreign, file.read())
    write("history-leaky-0-notes.memtrace", b"somebody's notes")
    write("blackbox", b"another's file")
    os.symlink("/etc/passwd", os.path.join(folder, f"history-leaky-0-{stamp}-0000dcba.memtrace"))
    with running(folder) as second:
        # Each is tried on the way back, and passed over.
        for each in second.history()["snapshots"]:
            second.ask(f"/debug/memtrace/snapshot?kept={each['name']}")
        problems = {each["name"]: each["problem"] for each in second.history()["snapshots"] if each["problem"]}
        check(len(problems) == 4, f"not what was damaged: {problems}")
        check(problems[f"{stamp}-0000abcd"] == "is of another service: other", str(problems))
        oldest = [each for each in second.history()["snapshots"] if not each["problem"]][0]
        status, body = second.ask(f"/debug/memtrace/diff?since={oldest['age_s']}s")
        check(status == 200 and json.loads(body)["before"]["service"] == "leaky", body[:500])
        check("cannot be used: is of another service" in second.ask("/debug/memtrace/snapshots?format=text")[1], "not said")
        second.wait_for(len(second.history()["snapshots"]) + 1)
    for name in ("blackbox", "history-leaky-0-notes.memtrace"):
        check(os.path.exists(os.path.join(folder, name)), f"{name} is gone")


def neighbours(folder):
    with running(folder) as one, running(folder) as two:
        one.wait_for(2)
        two.wait_for(2)
        sessions = [{each["name"][-8:] for each in service.history()["snapshots"]} for service in (one, two)]
        check(len(sessions[0]) == 1 and len(sessions[1]) == 1 and sessions[0] != sessions[1], f"they mix: {sessions}")
    with running(folder) as three, running(folder) as four:
        found = [{each["name"][-8:] for each in service.history()["snapshots"]} for service in (three, four)]
        check(all(old <= new for old, new in zip(sessions, found)), f"{found} do not go on with {sessions}")


def memory(_):
    with running(MEMWATCH_HISTORY="16MiB") as service:
        history = service.wait_for(2)
        check(history["where"] == "memory" and history["max_bytes"] == 1 << 20, str(history))
        metrics = service.ask("/metrics")[1]
        own = float(re.search(r"^memwatch_self_bytes (\S+)$", metrics, re.M).group(1))
        check(own >= history["bytes"], "kept snapshots are not counted as memwatch's own")
        for text in (memwatch("diff", "--since", "0s", service.url), memwatch("diff", "--since", "0s", f"pid:{service.process.pid}")):
            check("leaky::handle" in text, text)
        listed = memwatch("control", "--pid", str(service.process.pid), "history")
        check(history["snapshots"][0]["name"] in listed, listed)
        check(re.search(r"^name +bytes +taken +age +what is wrong with it$", listed, re.M) and " UTC " in listed, listed)
        far = memwatch("diff", "--since", "2h", service.url, status=3)
        check("the history begins" in far, far)
        memwatch("diff", "--since", "2", service.url, status=2)
        memwatch("diff", "--since", "1s", service.url, service.url, status=2)
        memwatch("diff", "--since", "1s", LEAKY, status=2)
    with running("/proc/nowhere") as service:
        history = service.wait_for(1)
        check(history["where"] == "memory" and history["problem"].startswith("in memory only: "), str(history))
    of_parent()


def of_parent():
    """The parent of `memwatch run` asks its children."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
    environment.update(MEMWATCH_HISTORY_EVERY="1s", MEMWATCH_PRELOAD_LIBRARY=PRELOAD)
    run = subprocess.Popen([MEMWATCH, "run", "--metrics", "127.0.0.1:0", "-q", "--", "sleep", "60"], stderr=subprocess.PIPE, text=True,
                           env=environment)
    try:
        address = re.search(r"http://([0-9.:]+)/", run.stderr.readline()).group(1)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            connection = http.client.HTTPConnection(address, timeout=20)
            connection.request("GET", "/debug/memtrace/diff?since=0s")
            answer = connection.getresponse()
            body = answer.read().decode()
            if answer.status == 200:
                break
            check(time.monotonic() < until, f"{answer.status} {body}")
            time.sleep(0.3)
        check(json.loads(body)["before"]["session"] == json.loads(body)["after"]["session"], body[:300])
    finally:
        run.terminate()
        run.wait()
        run.stderr.close()


def main():
    part = {"restart": restart, "damage": damage, "neighbours": neighbours, "memory": memory}[sys.argv[4]]
    with tempfile.TemporaryDirectory(prefix="memwatch-history-") as folder:
        os.chmod(folder, 0o700)
        part(folder)
    print(f"{sys.argv[4]}: as it should be")


main()
