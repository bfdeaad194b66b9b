# SPDX-License-Identifier: Apache-2.0
"""The mixin's rules with a real Prometheus and a real Alertmanager: the demo's leak is told, and ends with the fix.

    test_alerts.py ORDERS LOAD MIXIN [--default-epoch]

Epochs of a quarter of a second, so that it fits CI: the healthy neighbours, which grow for half a minute, are accused as well then, and only the
culprit's alert is looked at. With --default-epoch (three minutes) the culprit's must be the only one.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))
from alertmanager import LIMIT_SECONDS, Alertmanager, Receiver, free_ports, skip_unless_installed
from order_service import OrderService

CULPRIT = {"alertname": "MemwatchLeak", "tag": "order-cache"}
CONFIG = """
global: {{scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}}
rule_files: ['{mixin}/generated/memwatch_alerts.yaml', '{mixin}/generated/memwatch_rules.yaml']
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]}}
scrape_configs: [{{job_name: orders, static_configs: [{{targets: ['{service}']}}]}}]
"""


class Prometheus:
    def __init__(self, folder, **config):
        port, = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        file = Path(folder) / "prometheus.yml"
        file.write_text(CONFIG.format(**config))
        self.log = Path(folder) / "prometheus.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/prometheus",
                                             f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s"], stdout=log, stderr=log)

    def query(self, expression):
        with urllib.request.urlopen(self.url + "/api/v1/query?" + urllib.parse.urlencode({"query": expression}), timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    def wait_for(self, expression, limit=LIMIT_SECONDS):
        """Until the expression has a result."""
        end = time.monotonic() + limit
        while time.monotonic() < end and self.process.poll() is None:
            try:
                found = self.query(expression)
                if found:
                    return found
            except (urllib.error.URLError, OSError, ValueError):
                pass  # not listening yet
            time.sleep(0.1)
        raise AssertionError(f"Prometheus never says {expression}: " + self.log.read_text()[-2000:])

    def stop(self):
        self.process.terminate()
        self.process.wait(LIMIT_SECONDS)


def check_dashboard(prometheus, mixin):
    """Prometheus answers each query of it, and what any service has is there."""
    board = json.loads((Path(mixin) / "generated/dashboards/memwatch.json").read_text())
    shown = {}
    expected = ("Leaks", "Live heap", "memwatch itself", "Who leaks", "Live bytes by tag", "Live bytes of the largest sites", "Allocation by tag",
                "Lifetimes of freed blocks", "Pools: in use", "Bytes against budget", "Where RSS is")
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$job", "orders").replace("$instance", ".+").replace("$__rate_interval", "10s")
            is_expected = panel["title"] in expected and target["refId"] == "A"
            # A rate takes two scrapes.
            shown[panel["title"], target["refId"]] = prometheus.wait_for(expression) if is_expected else prometheus.query(expression)
    for title in expected:
        assert shown[title, "A"], f"panel '{title}' is empty"
    print(f"the dashboard: {len(shown)} queries, {sum(1 for found in shown.values() if found)} with an answer")


def run(orders, load, mixin, folder, is_default):
    pace = {} if is_default else {"MEMWATCH_EPOCH": "250ms", "MEMWATCH_INTERVAL": "64KiB"}
    service = OrderService(orders, load, free_ports(1)[0], folder, rate=1000 if is_default else 400, **pace)
    receiver = Receiver()
    alertmanager = prometheus = None
    try:
        alertmanager = Alertmanager(folder, receiver.server_address[1])
        service.start()
        prometheus = Prometheus(folder, mixin=mixin, alertmanager=alertmanager.address, service=service.address)
        begun = time.monotonic()
        fired = receiver.wait_for("firing", 240 if is_default else LIMIT_SECONDS, **CULPRIT)
        labels = fired["labels"]
        print(f"fires after {time.monotonic() - begun:.1f} s: {json.dumps(labels)}\n  {fired['annotations']['description']}")
        assert "order_cache::remember" in labels["function"], labels
        assert len(labels["site"]) == 16 and int(labels["site"], 16) != 0, labels
        assert labels["severity"] in ("info", "warning", "critical"), labels
        assert (labels["job"], labels["instance"], labels["class"]) == ("orders", service.address, "leak_retained"), labels
        notes = fired["annotations"]
        assert "order-cache" in notes["description"] and "/memwatchleak.md" in notes["runbook"], notes
        for recorded in ("instance:memwatch_leaks:sum > 0", "site:memwatch_leak_retained_bytes:max", "job:memwatch_live_bytes:sum"):
            prometheus.wait_for(recorded)
        check_dashboard(prometheus, mixin)
        if is_default:
            others = [a["labels"] for a in alertmanager.active(alertname="MemwatchLeak") if a["labels"]["tag"] != "order-cache"]
            assert not others, f"others are accused: {others}"

        prometheus.wait_for('ALERTS{alertname="MemwatchLeak", alertstate="firing", tag="order-cache"}')  # it is still so
        service.stop()
        service.start("--fix")
        fixed = time.monotonic()
        resolved = receiver.wait_for("resolved", **CULPRIT)
        assert resolved["labels"]["function"] == labels["function"], resolved
        end = time.monotonic() + LIMIT_SECONDS
        while alertmanager.active(**CULPRIT) and time.monotonic() < end:
            time.sleep(0.1)  # several severities may have fired, and each has a notification of its own
        assert not alertmanager.active(**CULPRIT), "resolved"
        print(f"resolved {time.monotonic() - fixed:.1f} s after the fixed service was up")
        # The fixed one was looked at, is loaded, and is not accused.
        prometheus.wait_for(f'memwatch_verdict_looks_total > {3 if is_default else 12} and on () memwatch_allocations_total{{tag="order-cache"}} > 100', 150)
        assert not prometheus.query('ALERTS{alertname="MemwatchLeak", tag="order-cache"}'), "the fix is a fix"
        assert not prometheus.query('ALERTS{alertname=~"MemwatchBlind|MemwatchSelfOverBudget", alertstate="firing"}'), "nothing else is amiss"
    finally:
        for each in (prometheus, service, alertmanager):
            if each is not None:
                each.stop()
        receiver.shutdown()


if __name__ == "__main__":
    skip_unless_installed("prometheus")
    with tempfile.TemporaryDirectory(prefix="memwatch-alerts-") as temporary:
        run(*sys.argv[1:4], temporary, "--default-epoch" in sys.argv)
    print("passed")
