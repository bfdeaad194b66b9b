# SPDX-License-Identifier: Apache-2.0
"""memwatch's HTTP server from the outside: a real process, real sockets, real tools.

    http_e2e.py VICTIM routes|guest|promtool|prometheus|pprof|verdicts

Each part starts its own victim (http_victim.cpp) and tells it over stdin what to allocate, so that every figure is known.
"""

import contextlib
import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import Dict, Optional, Tuple

TOKEN = "e2e-token-0123456789"
BLOCK = 1000  # bytes; http_victim.cpp allocates blocks of this size


class Failed(Exception):
    pass


def check(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(what)


def need(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        print(f"SKIP: {program} is not installed")
        sys.exit(77)
    return path


class Victim:
    def __init__(self, program: str, **environment: str):
        variables = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
        variables.update({"MEMWATCH_LISTEN": "127.0.0.1:0", "MEMWATCH_TOKEN": TOKEN})
        variables.update(environment)
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        env={k: v for k, v in variables.items() if v})
        self.status = self.read()
        self.port = self.status["port"]

    def read(self) -> Dict:
        line = self.process.stdout.readline()
        check(line != "", "the victim ended instead of answering")
        return json.loads(line)

    def tell(self, command: str) -> Dict:
        self.process.stdin.write(command + "\n")
        return self.read()

    def ask(self, target: str, method: str = "GET", headers: Optional[Dict] = None, body: Optional[str] = None):
        while True:
            answer = self.ask_once(target, method, headers, body)
            if answer[0] != 429:
                return answer
            time.sleep(float(answer[1]["Retry-After"]))

    def ask_once(self, target: str, method: str = "GET", headers: Optional[Dict] = None, body: Optional[str] = None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        answer = (response.status, dict(response.getheaders()), response.read())
        connection.close()
        return answer

    def get(self, target: str) -> str:
        status, _, body = self.ask(target)
        check(status == 200, f"{target}: {status} {body[:200]!r}")
        return body.decode()

    def post(self, target: str, token: str = TOKEN) -> Tuple[int, bytes]:
        status, _, body = self.ask(target, "POST", {"Authorization": "Bearer " + token})
        return status, body

    def end(self) -> int:
        self.process.stdin.close()
        return self.process.wait(timeout=20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def metric(page: str, name: str) -> float:
    for line in page.splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    raise Failed(f"no metric {name}")


def routes(program: str) -> None:
    with Victim(program) as v:
        check(v.status["listening"] and v.status["address"] == f"127.0.0.1:{v.port}", f"listening: {v.status}")
        v.tell("cache 300")
        v.tell("pool 7")
        page = v.get("/metrics")
        check(metric(page, 'memwatch_live_bytes{tag="order-cache"}') == 300 * BLOCK, "live bytes are exact")
        check(metric(page, 'memwatch_live_objects{tag="order-cache"}') == 300, "live objects are exact")
        check(metric(page, 'memwatch_pool_in_use{pool="sessions"}') == 7, "pool figures are exact")
        check(metric(page, "memwatch_up") == 1, "up")
        check(metric(page, "memwatch_self_bytes") > 0, "self bytes are counted")
        v.tell("drop 100")
        page = v.get("/metrics")
        check(metric(page, 'memwatch_live_bytes{tag="order-cache"}') == 200 * BLOCK, "a free is counted")
        check(metric(page, 'memwatch_frees_total{tag="order-cache"}') == 100, "frees are exact")
        check(abs(metric(page, 'memwatch_heap_live_bytes') - 200 * BLOCK) < 150 * BLOCK, "the estimate is near")

        check(v.get("/healthz") == "ok\n", "healthz")
        text = v.get("/debug/memtrace?top=5")
        check("order-cache" in text, f"the summary names the tag: {text}")
        status, headers, body = v.ask("/debug/memtrace", headers={"Accept": "text/html"})
        check(status == 200 and headers["Content-Type"].startswith("text/html") and b"<pre>" in body, "a page for a browser")

        for table in ("sites", "types", "tags", "pools", "threads", "routes", "traces"):
            rows = json.loads(v.get(f"/debug/memtrace/{table}?top=10"))
            check(rows["kind"] == f"memwatch.{table}", f"{table}: {rows}")
            check(v.get(f"/debug/memtrace/{table}?format=text") != "", f"{table} as text")
        tags = {row["tag"]: row for row in json.loads(v.get("/debug/memtrace/tags"))["rows"]}
        check(tags["order-cache"]["live_bytes"] == 200 * BLOCK, "the table is exact too")
        traces = json.loads(v.get("/debug/memtrace/traces"))["rows"]
        check(any(row["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736" for row in traces), f"the trace is known: {traces}")

        verdicts = json.loads(v.get("/debug/memtrace/verdicts"))
        check(verdicts["kind"] == "memwatch.verdicts" and verdicts["leaks"] == 0 and verdicts["rows"] == [], f"no leak: {verdicts}")
        for format in ("text", "md"):
            check("judged" in v.get(f"/debug/memtrace/verdicts?format={format}&level=none&records=0"), f"verdicts as {format}")
        check(metric(page, 'memwatch_leak_suspects{class="leak_retained"}') == 0, "none is accused")

        config = json.loads(v.get("/debug/memtrace/config"))
        options = {row["name"]: row for row in config["options"]}
        check(options["interval"]["value"] == 4096 and options["interval"]["origin"] == "code", f"{options}")
        check(TOKEN not in json.dumps(config) and options["token"]["value"] == "set (hidden)", "the token is masked")
        check(TOKEN not in v.get("/debug/memtrace/config?format=text"), "the token is masked in text")

        check(v.ask("/debug/memtrace/snapshot")[2] != b"", "a dump")
        dump = json.loads(v.get("/debug/memtrace/snapshot?format=json&label=now"))
        check("now" in json.dumps(dump), "the label is in the dump")
        for line in v.get("/debug/memtrace/snapshot?format=jsonl").splitlines():
            json.loads(line)
        check("victim" in v.get("/debug/memtrace/snapshot?format=folded"), "folded stacks name functions")

        check(v.ask("/debug/memtrace/snapshot?label=a", "POST")[0] == 401, "a POST without the token")
        check(v.post("/debug/memtrace/snapshot?label=a", "wrong-token-0123456789")[0] == 401, "a POST with another token")
        status, body = v.post("/debug/memtrace/snapshot?label=before")
        check(status == 201 and json.loads(body)["label"] == "before", f"kept: {status} {body!r}")
        v.tell("cache 3000")
        difference = json.loads(v.get("/debug/memtrace/diff?base=before&by=tag&threshold=1MB"))
        growth = {row["name"]: row for row in difference["rows"]}
        check(growth["order-cache"]["bytes"] == 3000 * BLOCK, f"the diff is exact by tag: {difference}")
        by_site = json.loads(v.get("/debug/memtrace/diff?base=before&top=1"))["rows"][0]
        check("victim" in by_site["name"] and by_site["tag"] == "order-cache", f"the diff names the site: {by_site}")
        check("order-cache" in v.get("/debug/memtrace/diff?base=before&format=text"), "the diff as text")
        check(v.ask("/debug/memtrace/diff?base=nothing")[0] == 404, "an unknown label")

        shown = json.loads(v.get("/debug/memtrace/timeline?since=1m"))
        check(shown["process"]["resident_bytes"] > 1 << 20 and shown["points"], f"the memory of the last minute: {shown}")
        check(shown["points"][-1]["live_bytes"] >= 3000 * BLOCK, f"the live heap is part of it: {shown['points'][-1]}")
        check("RSS" in v.get("/debug/memtrace/timeline?format=text"), "the timeline as text")
        check(metric(v.get("/metrics"), 'memwatch_process_memory_bytes{kind="anonymous"}') > 1 << 20, "the process' memory is a metric")

        for target, status in (("/", 404), ("/metrics?x=1", 400), ("/debug/memtrace/sites?top=0", 400),
                               ("/debug/memtrace/sites?by=nonsense", 400), ("/debug/memtrace/sites?cursor=%21", 400),
                               ("/debug/memtrace/snapshot?seconds=301", 400), ("/debug/pprof/heap?seconds=0", 400),
                               ("/debug/memtrace/verdicts?class=nonsense", 400), ("/debug/memtrace/footprint?detail=2", 400),
                               ("/debug/memtrace/timeline?since=1", 400), ("/debug/memtrace/scan", 404)):
            check(v.ask(target)[0] == status, f"{target}: not {status}")
        check(v.ask("/metrics", "PUT")[0] == 405, "a wrong method")
        check(v.ask("/metrics", headers={"Host": "evil.example"})[0] == 403, "DNS rebinding")
        check(v.ask("/metrics", headers={"Origin": "http://evil.example"})[0] == 403, "a foreign page")
        status, headers, body = v.ask("/metrics", "HEAD")
        check(status == 200 and body == b"" and int(headers["Content-Length"]) > 1000, "HEAD")

        statuses = {v.ask_once("/debug/memtrace")[0] for _ in range(40)}
        check(429 in statuses, f"full snapshots are rate-limited: {statuses}")
        check(v.ask_once("/metrics")[0] == 200, "metrics are not")

    with Victim(program, MEMWATCH_DEBUG_ROUTES="0", MEMWATCH_TOKEN="") as v:
        check(v.ask("/metrics")[0] == 200 and v.ask("/debug/memtrace")[0] == 404, "debug routes off")
    with Victim(program, MEMWATCH_TOKEN="") as v:
        status, _, body = v.ask("/debug/memtrace/snapshot?label=a", "POST")
        check(status == 403 and b"MEMWATCH_TOKEN" in body, "no token configured")
    with tempfile.NamedTemporaryFile("w") as secret:
        secret.write("file-token-0123456789\n")
        secret.flush()
        with Victim(program, MEMWATCH_TOKEN="", MEMWATCH_TOKEN_FILE=secret.name) as v:
            check(v.post("/debug/memtrace/snapshot?label=a", "file-token-0123456789")[0] == 201, "a token from a file")
        os.chmod(secret.name, 0o644)
        with Victim(program, MEMWATCH_TOKEN="", MEMWATCH_TOKEN_FILE=secret.name) as v:
            check("open to others" in v.status["detail"], f"an open token file is refused: {v.status}")
            check(v.post("/debug/memtrace/snapshot?label=a", "file-token-0123456789")[0] == 403, "and not used")


def guest(program: str) -> None:
    """The server as a guest: hostile clients, a taken port, forks, signals and the end."""
    with Victim(program) as v:
        second = v.tell("second")
        check(not second["listening"] and "already in use" in second["detail"], f"a taken port: {second}")
        with Victim(program, MEMWATCH_LISTEN=f"127.0.0.1:{v.port}") as other:
            check(not other.status["listening"] and "already in use" in other.status["detail"], f"{other.status}")
            check(other.tell("cache 1")["ok"], "the host goes on without a server")
            check(other.end() == 0, "and ends well")
        for listen in ("nonsense", "example.com:80", "127.0.0.1:99999", "192.0.2.1:0"):
            with Victim(program, MEMWATCH_LISTEN=listen) as other:
                check(not other.status["listening"] and listen in other.status["detail"], f"{listen}: {other.status}")
                check(other.end() == 0, "a bad address does no harm")

        for name, value in (("ALERTMANAGER", "https://example.com"), ("ALERT_LABELS", "severity=none")):
            with Victim(program, **{"MEMWATCH_ALERTMANAGER": "http://127.0.0.1:9", "MEMWATCH_" + name: value}) as other:
                check(other.status["listening"] and value in other.status["detail"], f"{name}: {other.status}")
                check(other.end() == 0, "nobody to tell does no harm")

        status, _, body = v.ask("/metrics", headers={"X-Large": "x" * 60000})
        check(status == 431, f"an oversized head: {status} {body!r}")
        check(v.ask("/debug/memtrace/snapshot?label=a", "POST", {"Authorization": "Bearer " + TOKEN}, "x" * 70000)[0] == 413,
              "an oversized body")
        check(v.ask("/" + "a" * 9000)[0] == 414, "an oversized target")

        lorises = []
        for _ in range(100):
            s = socket.create_connection(("127.0.0.1", v.port), timeout=5)
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: local")
            lorises.append(s)
        begun = time.monotonic()
        check(v.ask("/metrics")[0] == 200 and time.monotonic() - begun < 3, "a hundred slow clients do not hold up a scrape")
        cut = 0
        for s in lorises:
            s.settimeout(15)
            with contextlib.suppress(ConnectionError):
                check(s.recv(100) == b"", "a slow client gets no answer")
            cut += 1
            s.close()
        check(cut == 100 and time.monotonic() - begun < 20, "and is cut off")

        for number in (signal.SIGUSR1, signal.SIGUSR2):  # handled by the victim's main thread; must never run on ours
            for _ in range(20):
                os.kill(v.process.pid, number)
        check(v.tell("signals")["on_main_thread_only"], "signals stay with the host's threads")

        fork = v.tell("fork")  # the child sleeps, holding whatever it inherited
        check(v.ask("/healthz")[0] == 200, "the parent serves on after a fork")
        open_connection = socket.create_connection(("127.0.0.1", v.port), timeout=5)
        check(not v.tell("stop")["listening"], "stopped")
        open_connection.settimeout(5)
        with contextlib.suppress(ConnectionResetError):  # it may not have been accepted yet
            check(open_connection.recv(1) == b"", "stop ends open connections")
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", v.port), timeout=5)
            raise Failed("the port is still open: the child kept it")
        check(fork["inherited"] == 0, f"the child has no descriptor of the server: {fork}")
        os.kill(fork["child"], signal.SIGKILL)
        check(v.end() == 0, "the victim ends well")

    v = Victim(program)  # the end of main with connections open and a request half sent
    half = socket.create_connection(("127.0.0.1", v.port), timeout=5)
    half.sendall(b"GET /met")
    check(v.end() == 0, "ends well with connections open")


def promtool(program: str) -> None:
    tool = need("promtool")
    with Victim(program) as v:
        v.tell("cache 50")
        v.tell("pool 3")
        v.tell("odd-names")
        page = v.get("/metrics")
        check("order-cache" in page and "odd" in page, "the page has what it should")
        done = subprocess.run([tool, "check", "metrics"], input=page, text=True, capture_output=True)
        check(done.returncode == 0 and done.stdout + done.stderr == "", f"promtool: {done.returncode} {done.stdout}{done.stderr}")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_exemplar(port: int, series: str, trace_id: str, least: float = BLOCK) -> None:
    """Only the OpenMetrics page has exemplars: that Prometheus has one says that it asked for it and could read it."""
    now = time.time()
    target = "/api/v1/query_exemplars?" + urllib.parse.urlencode({"query": series, "start": now - 3600, "end": now + 3600})
    deadline = time.monotonic() + 30
    found = None
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", target)
        found = json.loads(connection.getresponse().read())["data"]
        if found:
            example = found[0]["exemplars"][0]
            check(example["labels"] == {"trace_id": trace_id} and float(example["value"]) >= least, f"the exemplar: {found}")
            return
        time.sleep(0.2)
    raise Failed(f"no exemplar of {series}: {found}")


def prometheus(program: str) -> None:
    server = need("prometheus")
    with Victim(program) as v, tempfile.TemporaryDirectory() as folder:
        v.tell("cache 321")
        port = free_port()
        config = Path(folder) / "prometheus.yml"
        config.write_text("global: {scrape_interval: 250ms, scrape_timeout: 250ms}\nscrape_configs:\n"
                          f"- job_name: victim\n  static_configs: [{{targets: ['127.0.0.1:{v.port}']}}]\n")
        log = open(Path(folder) / "log", "w")
        process = subprocess.Popen([server, "--enable-feature=exemplar-storage", f"--config.file={config}",
                                    f"--storage.tsdb.path={folder}/data",
                                    f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

        def query(expression: str):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
            return json.loads(connection.getresponse().read())["data"]["result"]

        def wait_for(expression: str, wanted: str) -> None:
            last = None
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                check(process.poll() is None, "prometheus ended: " + (Path(folder) / "log").read_text()[-2000:])
                with contextlib.suppress(OSError, ValueError, KeyError):
                    last = query(expression)
                    if last and last[0]["value"][1] == wanted:
                        return
                time.sleep(0.2)
            raise Failed(f"{expression}: {last}, not {wanted}")

        try:
            wait_for('memwatch_live_bytes{tag="order-cache"}', str(321 * BLOCK))
            wait_for('up{job="victim"}', "1")
            wait_for('memwatch_leak_suspects{class="leak_retained"}', "0")
            wait_for('sum(memwatch_leak_suspects{class!="suspect_growth"}) > bool 0', "0")
            v.tell("drop 21")
            wait_for('memwatch_live_bytes{tag="order-cache"}', str(300 * BLOCK))
            wait_for('memwatch_frees_total{tag="order-cache"}', "21")
            wait_for('sum(memwatch_object_lifetime_seconds_count) >= bool 0', "1")
            wait_for_exemplar(port, 'memwatch_allocated_bytes_total{tag="order-cache"}', "4bf92f3577b34da6a3ce929d0e0e4736")
            # Of blocks that died: which bucket it is depends on the clock, that its value is in it does not.
            wait_for_exemplar(port, 'memwatch_object_lifetime_seconds_bucket{tag="order-cache"}', "4bf92f3577b34da6a3ce929d0e0e4736", least=0)
        finally:
            process.terminate()
            process.wait(timeout=20)
            log.close()


def verdicts(program: str) -> None:
    """A leak in a service that runs: what the endpoints, the metrics and the summary say of it, and that it has a name."""
    with Victim(program, MEMWATCH_EPOCH="250ms") as v:
        v.tell("cache 100")
        deadline = time.monotonic() + 90
        found = None
        while time.monotonic() < deadline and not (found and found["leaks"]):
            for _ in range(10):
                v.tell("cache 40")  # 40,000 bytes each 50 ms: ten samples at R = 4 KiB
                time.sleep(0.05)
            found = json.loads(v.get("/debug/memtrace/verdicts?records=0"))
        check(found["leaks"] == 1, f"the cache that is never emptied is a leak: {found}")
        row = json.loads(v.get("/debug/memtrace/verdicts?level=leak"))["rows"][0]
        check("fill_cache" in row["name"] and row["tag"] == "order-cache" and row["class"] == "leak_retained", f"{row}")
        check(row["level"] == "leak" and row["confidence"] > 0.5 and row["rate_bytes_per_s"] > 0, f"{row}")
        check(row["sentence"] and row["features"] and row["retained_bytes"] > 0, f"evidence: {row}")
        check("4bf92f3577b34da6a3ce929d0e0e4736" in row["trace_ids"], f"a request to look up: {row}")
        check("fill_cache" in v.get("/debug/memtrace/verdicts?format=text"), "as text")
        check("| leak_retained |" in v.get("/debug/memtrace/verdicts?format=md"), "as Markdown")
        check("\n1 leak: " in v.get("/debug/memtrace"), "the summary says so in its first lines")
        page = v.get("/metrics")
        check(metric(page, 'memwatch_leak_suspects{class="leak_retained"}') == 1, "one is accused")
        score = [line for line in page.splitlines() if line.startswith("memwatch_verdict{") and 'class="leak_retained"' in line]
        check(len(score) == 1 and 'tag="order-cache"' in score[0] and float(score[0].rsplit(" ", 1)[1]) > 0.5, f"{score}")
        check(metric(page, "memwatch_verdict_looks_total") > 4, "looks are counted")
        check(abs(metric(page, "memwatch_verdict_last_look_timestamp_seconds") - time.time()) < 30, "and the last one is told")
        check(0 < metric(page, "memwatch_verdict_look_seconds") < 1, "and what it cost")
        sites = json.loads(v.get("/debug/memtrace/sites"))["rows"]
        check(any(row["verdict"] == "leak_retained" for row in sites), "the table of sites says it too")


def pprof(program: str) -> None:
    go = need("go")
    with Victim(program) as v, tempfile.TemporaryDirectory() as folder:
        v.tell("cache 5000")
        profile = v.ask("/debug/pprof/heap")[2]
        check(len(gzip.decompress(profile)) > 100, "a gzipped profile")
        path = Path(folder) / "heap.pb.gz"
        path.write_bytes(profile)
        environment = dict(os.environ, PPROF_TMPDIR=folder, HOME=folder, GOFLAGS="-mod=mod", GOCACHE=folder)
        for source in (str(path), f"http://127.0.0.1:{v.port}/debug/pprof/heap", f"http://127.0.0.1:{v.port}/debug/pprof/allocs"):
            done = subprocess.run([go, "tool", "pprof", "-top", "-sample_index=inuse_space", source], env=environment,
                                  text=True, capture_output=True, timeout=60)
            check(done.returncode == 0, f"go tool pprof {source}: {done.stdout}{done.stderr}")
            check("flat" in done.stdout and "victim" in done.stdout, f"go tool pprof names the function: {done.stdout}")


if __name__ == "__main__":
    try:
        {"routes": routes, "guest": guest, "promtool": promtool, "prometheus": prometheus, "pprof": pprof,
         "verdicts": verdicts}[sys.argv[2]](sys.argv[1])
    except Failed as failed:
        print(f"FAILED: {failed}")
        sys.exit(1)
    print("passed")
