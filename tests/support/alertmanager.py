# SPDX-License-Identifier: Apache-2.0
"""A real Alertmanager on loopback, and somebody who is notified by it."""

import http.server
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request

PROGRAM = "prometheus-alertmanager"
LIMIT_SECONDS = 60
CONFIG = """
route: {{receiver: test, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
global: {{resolve_timeout: {resolve_timeout}}}
receivers: [{{name: test, webhook_configs: [{{url: 'http://127.0.0.1:{port}/', send_resolved: true}}]}}]
"""


def skip_unless_installed(*others):
    for program in (PROGRAM, *others):
        if shutil.which(program) is None:
            print(f"SKIP: {program} is not installed (tests/support/packages.sh tests)")
            sys.exit(77)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Receiver(http.server.ThreadingHTTPServer):
    """What Alertmanager notifies; each alert of each notification, in order."""

    def __init__(self):
        self.alerts = queue.Queue()
        alerts = self.alerts

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                for alert in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"]:
                    alerts.put(alert)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait_for(self, status, limit=LIMIT_SECONDS, **labels):
        """The next notification of that kind; what comes before it is passed over (a retry, another alert)."""
        end = time.monotonic() + limit
        while True:
            try:
                alert = self.alerts.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {status} alert with {labels} in {limit} s") from None
            if alert["status"] == status and all(alert["labels"].get(k) == v for k, v in labels.items()):
                return alert


class Alertmanager:
    def __init__(self, folder, receiver_port, resolve_timeout="5m"):
        port, = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        folder = os.path.join(folder, f"alertmanager-{port}")
        os.mkdir(folder)
        config = os.path.join(folder, "alertmanager.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(port=receiver_port, resolve_timeout=resolve_timeout))
        with open(os.path.join(folder, "alertmanager.log"), "wb") as log:
            self.process = subprocess.Popen([PROGRAM, f"--config.file={config}", f"--storage.path={folder}/data",
                                             f"--web.listen-address={self.address}", "--cluster.listen-address="], stdout=log, stderr=log)
        self.wait_until_ready(log.name)

    def wait_until_ready(self, log):
        end = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url + "/-/ready", timeout=5):
                    return
            except OSError:
                time.sleep(0.05)  # nothing tells when a port begins to answer
        with open(log, encoding="utf-8") as file:
            raise AssertionError("Alertmanager does not answer: " + file.read())

    def active(self, **labels):
        with urllib.request.urlopen(self.url + "/api/v2/alerts", timeout=LIMIT_SECONDS) as answer:
            return [a for a in json.load(answer) if all(a["labels"].get(k) == v for k, v in labels.items())]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(LIMIT_SECONDS)
