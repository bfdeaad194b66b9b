# SPDX-License-Identifier: Apache-2.0
"""The demo's order service and its customers, at one address over restarts."""

import os
import re
import subprocess
import time

LIMIT_SECONDS = 30


class OrderService:
    def __init__(self, orders, load, memwatch_port, folder, rate=400, **environment):
        self.orders, self.load, self.port, self.folder, self.rate = orders, load, memwatch_port, folder, rate
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")} | environment
        self.running = []
        self.lives = 0

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self, *options):
        self.lives += 1
        self.log = os.path.join(self.folder, f"orders-{self.port}-{self.lives}.log")
        with open(self.log, "w", encoding="utf-8") as log:
            service = subprocess.Popen([self.orders, "--port", "0", "--memwatch-port", str(self.port), *options], stdout=log, stderr=log,
                                       env=self.environment)
        self.running = [service]
        port = self.wait_for_port(service)
        self.running.append(subprocess.Popen([self.load, "--port", port, "--rate", str(self.rate), "--seconds", "600"],
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def wait_for_port(self, service):
        end = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < end and service.poll() is None:
            said = self.said()
            found = re.search(r"^orders: http://127.0.0.1:(\d+)", said, re.MULTILINE)
            if found and f"memwatch: http://{self.address}/" in said:
                return found[1]
            time.sleep(0.02)  # until it has written its first lines
        raise AssertionError("the order service does not start: " + self.said())

    def said(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def stop(self):
        """Customers first."""
        for process in reversed(self.running):
            if process.poll() is None:
                process.terminate()
            process.wait(LIMIT_SECONDS)
        self.running = []

    def kill(self):
        self.running[0].kill()
        self.stop()
