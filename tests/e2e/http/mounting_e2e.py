# SPDX-License-Identifier: Apache-2.0
"""memwatch mounted in servers that are not its own: examples/mounting, started and asked.

    mounting_e2e.py httplib|exposer HOST
"""

import json
import os
import subprocess
import sys
import time

from doors_e2e import ask_at
from http_e2e import TOKEN, Failed, check


def ask(port: int, target: str, method: str = "GET", headers=None, body=None):
    while True:
        answer = ask_at(f"127.0.0.1:{port}", target, method, headers, body)
        if answer[0] != 429:
            return answer
        time.sleep(float(answer[1]["Retry-After"]))


def metrics_once(port: int) -> str:
    status, _, body = ask(port, "/metrics")
    check(status == 200, f"/metrics: {status}")
    lines = [line for line in body.decode().splitlines() if line.startswith('memwatch_live_bytes{tag="cache"}')]
    check(lines == ['memwatch_live_bytes{tag="cache"} 4096'], f"exactly once: {lines}")
    check(body.decode().count("# TYPE memwatch_live_bytes ") == 1, "and its family")
    return body.decode()


def debug_routes(port: int) -> None:
    check(b"cache" in ask(port, "/debug/memtrace")[2], "the summary")
    status, headers, body = ask(port, "/debug/memtrace/tags")
    check(status == 200 and headers["X-Content-Type-Options"] == "nosniff" and json.loads(body)["rows"], f"a table: {headers}")
    status, headers, body = ask(port, "/debug/memtrace/tags", "HEAD")
    check(status == 200 and body == b"" and int(headers["Content-Length"]) > 10, f"HEAD: {status} {headers}")
    check(ask(port, "/debug/memtrace/nothing")[0] == 404 and ask(port, "/debug/memtrace?x=1")[0] == 400, "refusals")
    check(ask(port, "/debug/memtrace", headers={"Origin": "http://evil.example"})[0] == 403, "a foreign page")
    check(ask(port, "/debug/memtrace/snapshot?label=a", "POST")[0] == 401, "a POST without the token")
    bearer = {"Authorization": "Bearer " + TOKEN}
    check(ask(port, "/debug/memtrace/snapshot?label=a", "POST", bearer)[0] == 201, "a POST with it")
    check(ask(port, "/debug/memtrace/snapshot", "POST", {**bearer, "Content-Type": "application/json"}, '{"label": "b"}')[0] == 201, "by a body")
    check(ask(port, "/debug/memtrace/diff?base=a")[0] == 200, "a diff")
    begun = time.monotonic()
    status, _, body = ask(port, "/debug/memtrace/snapshot?seconds=1&format=json")
    check(status == 200 and json.loads(body)["info"]["window_ns"] >= 1e9 and time.monotonic() - begun >= 1, "a window")


def httplib(started) -> None:
    port = started["port"]
    check(ask(port, "/")[2] == b"the service itself\n", "the host's own route")
    metrics_once(port)
    status, headers, body = ask(port, "/metrics", headers={"Accept": "application/openmetrics-text"})
    check(headers["Content-Type"].startswith("application/openmetrics-text") and body.endswith(b"# EOF\n"), f"{headers}")
    debug_routes(port)


def exposer(started) -> None:
    page = metrics_once(started["port"])
    check("orders_total 7" in page, "beside the host's own metrics")
    debug_routes(started["debug_port"])


if __name__ == "__main__":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
    host = subprocess.Popen([sys.argv[2]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            env={**environment, "MEMWATCH_TOKEN": TOKEN})
    try:
        {"httplib": httplib, "exposer": exposer}[sys.argv[1]](json.loads(host.stdout.readline()))
        host.stdin.close()
        check(host.wait(timeout=20) == 0, "the host ends well")
    except Failed as failed:
        print(f"FAILED: {failed}")
        sys.exit(1)
    finally:
        if host.poll() is None:
            host.kill()
    print("passed")
