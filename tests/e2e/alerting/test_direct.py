# SPDX-License-Identifier: Apache-2.0
"""MEMWATCH_ALERTMANAGER: the demo's leak is told to two real Alertmanagers, without a Prometheus, beside a third that is away.

    test_direct.py ORDERS LOAD [PRELOAD LEAKER]

With these, a preloaded program that calls nothing is told of as well, and so is its end.
"""

import concurrent.futures
import datetime
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
from alertmanager import LIMIT_SECONDS, Alertmanager, Receiver, free_ports, skip_unless_installed
from order_service import OrderService

CULPRIT = {"alertname": "MemwatchLeak", "tag": "order-cache"}


def unix_seconds(text):
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{1,6})?\d*Z$", lambda m: (m[1] or "") + "+00:00", text)).timestamp()


def metric(service, name):
    with urllib.request.urlopen(f"http://{service.address}/metrics", timeout=10) as page:
        found = re.search(rf"^{name} (\S+)$", page.read().decode(), re.MULTILINE)
    assert found, f"no metric {name}"
    return float(found[1])


def wait_for_active(server, than="", **labels):
    """One that stands, until later than that: on a busy machine a post may be late, and the alert away meanwhile."""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        standing = [a for a in server.active(**CULPRIT, **labels) if a["endsAt"] > than]
        if standing:
            return max(standing, key=lambda a: a["endsAt"])
        time.sleep(0.1)
    raise AssertionError(f"never posted again: {server.active()}")


def check_alert(fired, service):
    labels = fired["labels"]
    print(f"fires: {labels}\n  {fired['annotations']['description']}")
    assert "order_cache::remember" in labels["function"] and len(labels["site"]) == 16, labels
    assert labels["severity"] in ("info", "warning", "critical") and labels["class"] == "leak_retained", labels
    assert labels["service"] == "orders" and labels["env"] == "test" and labels["instance"].endswith(f":{service.port}"), labels
    assert "order_cache::remember has kept" in fired["annotations"]["description"], fired["annotations"]
    assert fired["generatorURL"].startswith(f"http://{service.address}/"), fired


def run(orders, load, folder):
    receivers = [Receiver(), Receiver()]
    servers = []
    services = []
    try:
        servers = [Alertmanager(folder, each.server_address[1]) for each in receivers]
        away, *ports = free_ports(3)
        peers = ",".join([f"http://127.0.0.1:{away}", *(each.url for each in servers)])
        services = [OrderService(orders, load, port, folder, MEMWATCH_EPOCH="250ms", MEMWATCH_INTERVAL="64KiB", MEMWATCH_ALERTMANAGER=peers,
                                 MEMWATCH_ALERT_REPEAT="1500ms", MEMWATCH_ALERT_LABELS=f"env=test,number={i}") for i, port in enumerate(ports)]
        for service in services:
            service.start()
        for receiver in receivers:
            unheard = {str(number): service for number, service in enumerate(services)}
            while unheard:  # in any order
                fired = receiver.wait_for("firing", **CULPRIT)
                if service := unheard.pop(fired["labels"]["number"], None):
                    check_alert(fired, service)
        for server in servers:
            wait_for_active(server, than=wait_for_active(server)["endsAt"])
        stopped, killed = services
        assert metric(stopped, "memwatch_alert_posts_total") >= 4 and metric(stopped, "memwatch_alerts_firing") >= 1
        assert metric(stopped, "memwatch_alert_post_failures_total") >= 2, "the third is tried again"
        assert stopped.said().count("event=alerts_not_taken") == 1, "and complained of once: " + stopped.said()

        labels = [wait_for_active(server, number="0")["labels"] for server in servers]
        killed.kill()  # it can tell nobody
        killed_at = time.time()
        stopped.stop()
        stopped_at = time.time()
        for receiver, each in zip(receivers, labels):
            assert unix_seconds(receiver.wait_for("resolved", **each)["endsAt"]) <= stopped_at, "the end is told, not waited for"
        while unix_seconds(receivers[0].wait_for("resolved", number="1", **CULPRIT)["endsAt"]) < killed_at:
            pass  # of another severity, before
        print("ends with the service, and lapses after a kill")
    finally:
        for each in [*services, *servers]:
            each.stop()
        for each in receivers:
            each.shutdown()


def run_preloaded(preload, leaker, folder):
    receiver, server, process = Receiver(), None, None
    try:
        server = Alertmanager(folder, receiver.server_address[1])
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
        environment.update(LD_PRELOAD=preload, MEMWATCH_LISTEN="127.0.0.1:0", MEMWATCH_ALERTMANAGER=server.url, MEMWATCH_EPOCH="250ms",
                           MEMWATCH_INTERVAL="16KiB")
        process = subprocess.Popen([leaker], stdin=subprocess.PIPE, env=environment)
        fired = receiver.wait_for("firing", alertname="MemwatchLeak")
        assert "leaker::lose" in fired["labels"]["function"] and fired["labels"]["service"].endswith("alerting-leaker"), fired["labels"]
        process.stdin.close()
        assert process.wait(LIMIT_SECONDS) == 0
        ended = time.time()
        assert unix_seconds(receiver.wait_for("resolved", alertname="MemwatchLeak")["endsAt"]) <= ended, "the end of the process is the alert's"
        print(f"preloaded: fires: {fired['labels']}")
    finally:
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        if server is not None:
            server.stop()
        receiver.shutdown()


if __name__ == "__main__":
    skip_unless_installed()
    with tempfile.TemporaryDirectory(prefix="memwatch-alerts-") as temporary:
        with concurrent.futures.ThreadPoolExecutor() as at_once:
            parts = [at_once.submit(run, *sys.argv[1:3], temporary)]
            if len(sys.argv) > 3:
                parts.append(at_once.submit(run_preloaded, *sys.argv[3:5], temporary))
            for each in parts:
                each.result()
    print("passed")
