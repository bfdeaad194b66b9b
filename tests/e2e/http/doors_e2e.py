# SPDX-License-Identifier: Apache-2.0
"""The doors of memwatch's HTTP server, from the outside: windows, listeners, what is redacted, what stays closed.

    doors_e2e.py VICTIM windows|listeners|redaction|closed MEMWATCH
"""

import contextlib
import gzip
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Dict, List, Optional

from http_e2e import BLOCK, TOKEN, Failed, Victim, check


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


def ask_at(address: str, target: str, method: str = "GET", headers: Optional[Dict] = None, body: Optional[str] = None):
    """At the address as the server tells it: unix:/path, 127.0.0.1:80, [::1]:80."""
    if address.startswith("unix:"):
        connection = UnixConnection(address[5:])
    else:
        host, port = address.rsplit(":", 1)
        connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=20)
    connection.request(method, target, body=body, headers=headers or {})
    response = connection.getresponse()
    answer = (response.status, dict(response.getheaders()), response.read())
    connection.close()
    return answer


class Later(threading.Thread):
    """A request under way, while the test goes on."""

    def __init__(self, victim: Victim, target: str):
        super().__init__()
        self.victim, self.target, self.answer = victim, target, None
        self.start()

    def run(self) -> None:
        self.answer = self.victim.ask_once(self.target)

    def wait(self):
        self.join(60)
        check(self.answer is not None, f"{self.target}: no answer")
        check(self.answer[0] == 200, f"{self.target}: {self.answer}")
        return self.answer[2]


def wait_for_window(v: Victim) -> int:
    """Until the window is open, which is when full snapshots are refused; how long it has left."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status, headers, _ = v.ask_once("/debug/memtrace/snapshot")
        if status == 429:
            return int(headers["Retry-After"])
        time.sleep(0.02)
    raise Failed("the window never opened")


def live_bytes(dump: bytes, tag: str) -> int:
    rows = {row["name"]: row for row in json.loads(dump)["tags"]}
    return rows[tag]["allocated_bytes"] - rows[tag]["freed_bytes"]


def run(program: str, *arguments: str, status: int = 0) -> str:
    done = subprocess.run([program, *arguments], text=True, capture_output=True, timeout=60)
    check(done.returncode == status, f"{arguments}: {done.returncode} {done.stdout}{done.stderr}")
    return done.stdout


def windows(program: str, memwatch: str) -> None:
    with Victim(program) as v, tempfile.TemporaryDirectory() as folder:
        v.tell("cache 1000")
        later = Later(v, "/debug/memtrace/snapshot?seconds=2&format=json&label=window")
        left = wait_for_window(v)
        check(1 <= left <= 2, f"Retry-After is what the window has left: {left}")
        v.tell("cache 500")
        begun = time.monotonic()
        for _ in range(20):
            check(v.ask_once("/metrics")[0] == 200, "metrics are answered while a window is open")
        check(time.monotonic() - begun < 2, "and are not held up")
        dump = later.wait()
        check(json.loads(dump)["info"]["window_ns"] >= 2e9 and json.loads(dump)["info"]["label"] == "window", "it says so")
        check(live_bytes(dump, "order-cache") == 500 * BLOCK, f"born in the window, exactly: {live_bytes(dump, 'order-cache')}")

        later = Later(v, "/debug/memtrace?seconds=1")
        wait_for_window(v)
        check("born in the last" in later.wait().decode(), "the summary says what it is of")
        later = Later(v, "/debug/pprof/heap?seconds=1")
        wait_for_window(v)
        v.tell("drop 400")
        check(len(gzip.decompress(later.wait())) > 100, "a profile of the window")

        gone = socket.create_connection(("127.0.0.1", v.port), timeout=5)
        gone.sendall(b"GET /debug/memtrace/snapshot?seconds=300 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        check(wait_for_window(v) > 250, "a long window is open")
        gone.close()
        check(v.ask("/debug/memtrace/snapshot")[0] == 200, "a client that hangs up gives the window back")

        before, window = str(Path(folder) / "before.memtrace"), str(Path(folder) / "window.memtrace")
        for source in (["--url", f"http://127.0.0.1:{v.port}"], ["--pid", str(v.process.pid)]):
            run(memwatch, "snapshot", *source, "--label", "before", "-o", before)
            process = subprocess.Popen([memwatch, "snapshot", *source, "--label", "w", "--duration", "2s", "-o", window])
            time.sleep(1)  # inside of the two seconds; earlier or later only makes the window emptier, which the check sees
            v.tell("cache 300")
            check(process.wait(60) == 0, f"{source} --duration")
            row = [r for r in json.loads(run(memwatch, "show", window, "--by", "tag", "--json"))["rows"] if r["tag"] == "order-cache"][0]
            check(row["live_bytes"] == 300 * BLOCK, f"{source}: {row}")
            check("born in the last" in run(memwatch, "show", window), "a shown window says that it is one")
            os.unlink(window)

        status, _, body = v.ask("/debug/memtrace/snapshot", "POST",
                                {"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"}, '{"label": "kept"}')
        check(status == 201, f"kept: {status} {body!r}")
        kept = json.loads(v.get("/debug/memtrace/snapshots"))
        check([row["label"] for row in kept["snapshots"]] == ["kept"] and kept["bytes"] > 0, f"{kept}")
        v.tell("cache 1000")
        old = json.loads(v.ask("/debug/memtrace/snapshot?kept=kept&format=json")[2])
        check(old["info"]["label"] == "kept", "a kept one comes back in another format")
        check(v.ask("/debug/memtrace/snapshot?kept=kept")[2][:7] == b"\x89MWDUMP", "and as it was")


def listeners(program: str, memwatch: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/http.sock"
        with Victim(program, MEMWATCH_LISTEN="unix:" + path, MEMWATCH_TOKEN="") as v:
            check(v.status["address"] == "unix:" + path and v.port == 0, f"{v.status}")
            check(os.stat(path).st_mode & 0o777 == 0o600, "the socket is its user's alone")
            v.tell("cache 100")
            address = v.status["address"]
            check(b"memwatch_live_bytes" in ask_at(address, "/metrics")[2], "metrics over a unix socket")
            check(ask_at(address, "/debug/memtrace/snapshot?label=a", "POST")[0] == 201, "its own user needs no token there")
            check(ask_at(address, "/debug/memtrace/snapshot?label=a", "POST", {"Via": "1.1 proxy"})[0] == 403, "a proxy does")
            check(ask_at(address, "/debug/memtrace", headers={"X-Forwarded-For": "10.0.0.1"})[0] == 403, "for reading, too")
            check(ask_at(address, "/metrics", headers={"X-Forwarded-For": "10.0.0.1"})[0] == 200, "metrics are open")
            check(ask_at(address, "/metrics", headers={"Origin": "http://evil.example"})[0] == 403, "a foreign page")
            check("order-cache" in run(memwatch, "show", address), "the command line reads from it")
            out = folder + "/out.memtrace"
            run(memwatch, "snapshot", "--url", address, "--label", "before", "-o", out)
            run(memwatch, "snapshot", "--url", address, "--duration", "1s", "-o", out)
            with Victim(program, MEMWATCH_LISTEN=address) as second:
                check("somebody listens there already" in second.status["detail"], f"{second.status}")
                check(second.end() == 0, "and it does no harm")
            check(ask_at(address, "/healthz")[0] == 200, "the first serves on")
            check(v.end() == 0, "ends well")
        check(not os.path.exists(path), "the name goes with the process")
        run(memwatch, "show", "unix:" + path, status=4)

        with Victim(program, MEMWATCH_LISTEN="unix:" + path) as v:
            v.process.kill()  # leaves its socket behind
            v.process.wait()
        check(os.path.exists(path), "a killed process leaves its socket")
        with Victim(program, MEMWATCH_LISTEN="unix:" + path) as v:
            check(v.status["listening"], f"a leftover is replaced: {v.status}")

        with Victim(program, MEMWATCH_DEBUG_LISTEN="unix:" + path) as v:
            check(v.status["debug_address"] == "unix:" + path and v.port != 0, f"{v.status}")
            public, debug = v.status["address"], v.status["debug_address"]
            for target in ("/metrics", "/healthz"):
                check(ask_at(public, target)[0] == 200 and ask_at(debug, target)[0] == 404, f"{target} is public only")
            for target in ("/debug/memtrace", "/debug/memtrace/config", "/debug/pprof/heap"):
                check(ask_at(public, target)[0] == 404 and ask_at(debug, target)[0] == 200, f"{target} is not")
            check(ask_at(public, "/debug/memtrace/control", "POST", {"Authorization": "Bearer " + TOKEN})[0] == 404, "nor control")
            v.tell("stop")
            check(not os.path.exists(path), "stop ends both")
        with Victim(program, MEMWATCH_DEBUG_LISTEN="nonsense") as v:
            check(v.status["listening"] and "nonsense" in v.status["detail"], f"one of two: {v.status}")
            check(ask_at(v.status["address"], "/debug/memtrace")[0] == 404, "what was to be elsewhere is never public instead")
        with Victim(program, MEMWATCH_DEBUG_LISTEN="unix:" + path, MEMWATCH_DEBUG_ROUTES="0") as v:
            check(v.status["debug_address"] == "" and not os.path.exists(path), "off is off")

    if not has_ipv6():
        print("IPv6: not tested, this machine has no ::1")
        return
    with Victim(program, MEMWATCH_LISTEN="[::1]:0", MEMWATCH_DEBUG_LISTEN="127.0.0.1:0") as v:
        check(v.status["address"].startswith("[::1]:"), f"{v.status}")
        check(ask_at(v.status["address"], "/metrics")[0] == 200, "metrics on IPv6")
        check(ask_at(v.status["debug_address"], "/debug/memtrace")[0] == 200, "debug on IPv4")
        check(ask_at(v.status["address"], "/metrics", headers={"Host": "evil.example"})[0] == 403, "DNS rebinding on IPv6")


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as s:
        s.bind(("::1", 0))
        return True
    return False


def redaction(program: str, memwatch: str) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with Victim(program, MEMWATCH_SERVICE="orders secret=HUNTER2", MEMWATCH_REDACT="iban, session-id", MEMWATCH_HASH_TRACES="1") as v:
        addresses = [int(word) for word in v.tell("secrets 2000")["addresses"].split()]
        check(len(addresses) == 4001, "blocks to look for")
        everything: List[str] = [v.get("/metrics"), v.get("/debug/memtrace?top=100"), v.get("/debug/memtrace/config")]
        for table in ("sites", "types", "tags", "pools", "threads", "routes", "traces", "survivors", "hand_offs"):
            everything.append(v.get(f"/debug/memtrace/{table}?format=text"))
            everything.append(v.get(f"/debug/memtrace/{table}"))
        for form in ("json", "jsonl", "folded"):
            everything.append(v.get(f"/debug/memtrace/snapshot?format={form}"))
        everything.append(v.ask("/debug/memtrace/snapshot")[2].decode("latin1"))
        everything.append(gzip.decompress(v.ask("/debug/pprof/heap")[2]).decode("latin1"))
        everything.append(run(memwatch, "snapshot", "--pid", str(v.process.pid), "--format", "json"))
        everything.append(run(memwatch, "control", "--pid", str(v.process.pid), "status"))
        for i, text in enumerate(everything):
            for secret in ("HUNTER2", "HUNTER3", trace, bytes.fromhex(trace).decode("latin1")):
                check(secret not in text, f"answer {i} tells a secret: {text[max(0, text.find(secret) - 200):][:300]}")
            words = set(re.findall(r"[0-9a-f]+", text.lower()))
            told = [a for a in addresses if f"{a:x}" in words or str(a) in words]
            check(not told, f"answer {i} tells where {len(told)} blocks are")
        hidden = {row["trace"] for row in json.loads(v.get("/debug/memtrace/snapshot?format=json"))["live"]} - {None, "", "0" * 32}
        check(len(hidden) == 1, f"blocks of one request still group: {hidden}")
        check('memwatch_live_bytes{tag="iban=[redacted]"}' in everything[0], "a key of the service's own")
        page = everything[0]
        check('memwatch_live_bytes{tag="user password=[redacted]"}' in page, "the tag is there, without its secret")
        check('memwatch_live_bytes{tag="cache_key=visible"}' in page, "what is no secret stays")
        check("postgres://app:[redacted]@db" in page, "a pool's URL")
        check("/login?api_key=[redacted]&next=/" in v.get("/debug/memtrace/routes"), "a route")
        check("orders secret=[redacted]" in everything[2], "the service's name, in the options")


def closed(program: str, memwatch: str) -> None:
    """Many slow clients of every kind at once; headers on every answer, also on those that no route makes."""
    with Victim(program) as v:
        slow = []
        for i in range(200):
            s = socket.create_connection(("127.0.0.1", v.port), timeout=5)
            s.sendall([b"", b"G", b"GET /metrics HTTP/1.1\r\nHost: l", b"POST /debug/memtrace/control HTTP/1.1\r\nHost: localhost\r\n"
                       b"Content-Length: 100\r\n\r\nxx"][i % 4])
            slow.append(s)
            if i % 20 == 19:
                begun = time.monotonic()
                check(v.ask_once("/metrics")[0] == 200 and time.monotonic() - begun < 3, f"a scrape beside {i + 1} slow clients")
        for s in slow:
            s.close()

        never = ("Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Set-Cookie", "Server")
        always = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
                  "Cross-Origin-Resource-Policy": "same-origin"}
        for target, method, headers in (("/metrics", "GET", {}), ("/nonsense", "GET", {}), ("/debug/memtrace", "HEAD", {}),
                                        ("/metrics", "OPTIONS", {"Origin": "http://evil.example"}), ("/metrics", "GET", {"Host": "evil"}),
                                        ("/debug/memtrace/control", "POST", {}), ("/" + "a" * 9000, "GET", {}),
                                        ("/metrics", "GET", {"X-Large": "x" * 60000})):
            status, answered, _ = v.ask(target, method, headers)
            for name, value in always.items():
                check(answered.get(name) == value, f"{method} {target[:40]}: {status} without {name}: {answered}")
            check("default-src 'none'" in answered.get("Content-Security-Policy", ""), f"{target[:40]}: no policy")
            for name in never:
                check(name not in answered, f"{method} {target[:40]}: {status} with {name}")
        before = v.get("/debug/memtrace/config"), v.get("/debug/memtrace/snapshots")
        for target in ("/debug/memtrace/snapshot?label=x", "/debug/memtrace/control", "/debug/memtrace/diff?base=x"):
            v.ask(target)
        check(before == (v.get("/debug/memtrace/config"), v.get("/debug/memtrace/snapshots")), "a GET changes nothing")
        rows = json.loads(v.get("/debug/memtrace/tags?top=1"))
        check(len(rows["rows"]) == 1, f"a page of one row: {rows}")


if __name__ == "__main__":
    try:
        {"windows": windows, "listeners": listeners, "redaction": redaction, "closed": closed}[sys.argv[2]](sys.argv[1], sys.argv[3])
    except Failed as failed:
        print(f"FAILED: {failed}")
        sys.exit(1)
    print("passed")
