# SPDX-License-Identifier: Apache-2.0
"""The mixin in examples/operations/mixin: what is generated is what the source says, and Prometheus and Grafana can read it.

Complaints: generated/ differs from what generate.sh writes; `promtool check rules` or `promtool test rules` fails; the dashboard breaks
dashboard.schema.json, has a number twice, panels on top of each other, or an expression that Prometheus does not read or that is not
limited to the chosen job and instance; a metric that memwatch does not export; an alert without severity, summary, description or
runbook, and a runbook without an alert. Skips (77) where jsonnet, promtool, PyYAML or jsonschema is missing.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Set

from source_tree import plant, run

MIXIN = "examples/operations/mixin"
SEVERITIES = {"info", "warning", "critical"}

for program in ("jsonnet", "promtool"):
    if shutil.which(program) is None:
        print(f"SKIP: {program} is not installed (tests/support/packages.sh tests)")
        sys.exit(77)
try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"SKIP: {missing} (tests/support/packages.sh tests)")
    sys.exit(77)


def run_quietly(*command: str) -> str:
    """What a program says when it fails, on one line."""
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else " ".join((done.stdout + done.stderr).split()) or f"status {done.returncode}"


_generated_from: Dict[bytes, object] = {}  # jsonnet takes seconds to write YAML, and most plants leave its sources alone


def generate(mixin: Path):
    """What generate.sh writes, by file; or what it says as it fails."""
    sources = b"".join(p.read_bytes() for p in sorted([mixin / "generate.sh", *mixin.rglob("*.libsonnet")]))
    if sources not in _generated_from:
        with tempfile.TemporaryDirectory(prefix="memwatch-mixin-") as folder:
            failed = run_quietly(str(mixin / "generate.sh"), folder)
            written = {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}
        _generated_from[sources] = failed or written
    return _generated_from[sources]


def check_generated(mixin: Path) -> List[str]:
    there = generate(mixin)
    if isinstance(there, str):
        return [f"{MIXIN}/generate.sh fails: {there}"]
    here = {str(p.relative_to(mixin / "generated")): p.read_bytes() for p in (mixin / "generated").rglob("*") if p.is_file()}
    return [f"{MIXIN}/generated/{name}: not what generate.sh writes" for name in sorted({*there, *here}) if there.get(name) != here.get(name)]


def check_rules(mixin: Path) -> List[str]:
    complaints = []
    for file in sorted((mixin / "generated").glob("*.yaml")):
        failed = run_quietly("promtool", "check", "rules", "--lint-fatal", str(file))
        complaints += [f"{MIXIN}/generated/{file.name}: promtool check rules: {failed}"] if failed else []
    failed = run_quietly("promtool", "test", "rules", str(mixin / "tests.yaml"))
    return complaints + ([f"{MIXIN}/tests.yaml: promtool test rules: {failed}"] if failed else [])


def rules_of(file: Path) -> List[Dict]:
    return [rule for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def check_alerts(root: Path, mixin: Path) -> List[str]:
    complaints, pages = [], set()
    for rule in rules_of(mixin / "generated/memwatch_alerts.yaml"):
        name = rule.get("alert", "?")
        page = f"docs/runbooks/{name.lower()}.md"
        pages.add(page)
        if not name.startswith("Memwatch"):
            complaints.append(f"{MIXIN}: alert {name} does not begin with Memwatch")
        if rule.get("labels", {}).get("severity") not in SEVERITIES:
            complaints.append(f"{MIXIN}: alert {name} has no severity")
        missing = {"summary", "description", "runbook"} - set(rule.get("annotations", {}))
        complaints += [f"{MIXIN}: alert {name} has no {each}" for each in sorted(missing)]
        if not (root / page).is_file():
            complaints.append(f"{MIXIN}: alert {name} has no {page}")
    there = {str(p.relative_to(root)) for p in (root / "docs/runbooks").glob("*.md")} - {"docs/runbooks/README.md"}
    return sorted(set(complaints)) + [f"{page}: a runbook without an alert" for page in sorted(there - pages)]


def queries_of(board: Dict) -> Dict[str, str]:
    """Expression by where it stands. Variables become what Grafana puts in."""
    found = {}
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            found[f"panel '{panel['title']}' {target['refId']}"] = target["expr"].replace("$__rate_interval", "5m")
    for each in board["annotations"]["list"]:
        found[f"annotation '{each['name']}'"] = each["expr"]
    return found


def check_positions(panels: List[Dict]) -> List[str]:
    complaints, taken = [], {}
    numbers = [panel["id"] for panel in panels]
    if len(set(numbers)) != len(numbers):
        complaints.append("two panels have the same id")
    for panel in panels:
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            complaints.append(f"panel '{panel['title']}' is wider than the page")
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            if taken.setdefault(cell, panel["id"]) != panel["id"]:
                complaints.append(f"panel '{panel['title']}' lies on another")
                break
    return complaints


def check_dashboard(root: Path, file: Path) -> List[str]:
    where = f"{MIXIN}/generated/dashboards/{file.name}"
    try:
        board = json.loads(file.read_text(encoding="utf-8"))
        jsonschema.validate(board, json.loads((root / "tests/contract/dashboard.schema.json").read_text(encoding="utf-8")))
    except (json.JSONDecodeError, jsonschema.ValidationError) as e:
        return [f"{where}: {str(e).splitlines()[0]}"]
    complaints = check_positions(board["panels"])
    names = [each["name"] for each in board["templating"]["list"]]
    if names[:3] != ["datasource", "job", "instance"]:
        complaints.append(f"variables are {names}, not datasource, job, instance")
    queries = queries_of(board)
    for place, expression in queries.items():
        selectors = re.findall(r"\b(?:memwatch_\w+|ALERTS)(\{[^}]*\})?", expression)
        if not all('job=~"$job"' in each and 'instance=~"$instance"' in each for each in selectors):
            complaints.append(f"{place} is not limited to the chosen job and instance")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules:
        yaml.safe_dump({"groups": [{"name": "g", "rules": [{"record": f"r:{i}", "expr": e} for i, e in enumerate(queries.values())]}]}, rules)
        rules.flush()
        failed = run_quietly("promtool", "check", "rules", rules.name)
    complaints += [f"an expression does not parse: {failed}"] if failed else []
    return [f"{where}: {each}" for each in complaints]


def exported(root: Path) -> Set[str]:
    """Metrics named in the sources of the page; a histogram has three names more."""
    names = set()
    for file in sorted((root / "src/serve").glob("*.cpp")):
        names |= set(re.findall(r'"(memwatch_[a-z0-9_]+)"', file.read_text(encoding="utf-8")))
    return names | {name + end for name in names for end in ("_bucket", "_sum", "_count")}


def check_metrics(root: Path, mixin: Path) -> List[str]:
    known, complaints = exported(root), []
    expressions = {f"rule {rule.get('alert', rule.get('record'))}": rule["expr"]
                   for file in sorted((mixin / "generated").glob("*.yaml")) for rule in rules_of(file)}
    for file in sorted((mixin / "generated/dashboards").glob("*.json")):
        expressions.update(queries_of(json.loads(file.read_text(encoding="utf-8"))))
    for place, expression in expressions.items():
        for name in re.findall(r"(?<![:\w])memwatch_\w+(?![:\w])", re.sub(r'"[^"]*"', '""', expression)):
            if name not in known:
                complaints.append(f"{MIXIN}: {place} asks for {name}, which memwatch does not export")
    return sorted(set(complaints))


def check(root: Path) -> List[str]:
    mixin = root / MIXIN
    complaints = check_generated(mixin) + check_rules(mixin)
    try:
        complaints += check_alerts(root, mixin)
        for file in sorted((mixin / "generated/dashboards").glob("*.json")):
            complaints += check_dashboard(root, file)
        complaints += check_metrics(root, mixin)
    except (yaml.YAMLError, json.JSONDecodeError, KeyError, TypeError) as e:
        complaints.append(f"{MIXIN}/generated cannot be read: {' '.join(str(e).split())}")
    return complaints


# A plant is appended: to the rules a group more, to jsonnet what overrides the last expression.
_ALERTS = f"{MIXIN}/generated/memwatch_alerts.yaml"
_GROUP = "\n- name: planted\n  rules:\n  - {alert: MemwatchLeak, expr: '%s', labels: {severity: info}, annotations: {summary: s, description: d, runbook: r}}\n"
PLANTS = [
    plant("the source is not changed alone", f"{MIXIN}/config.libsonnet", "+ { _config+:: { leakFor: '7m' } }\n", "memwatch_alerts.yaml: not what generate.sh writes"),
    plant("nor what is generated", _ALERTS, "# by hand\n", "memwatch_alerts.yaml: not what generate.sh writes"),
    plant("the source can be read", f"{MIXIN}/rules/rules.libsonnet", "}", "generate.sh fails"),
    plant("rules are PromQL", _ALERTS, _GROUP % "rate(memwatch_up)", "promtool check rules"),
    plant("two conditions are two alerts", _ALERTS, "\n- name: planted\n  rules:" + 2 * "\n  - {alert: MemwatchBlind, expr: memwatch_up, labels: {severity: info}}"
          + "\n", "duplicate"),
    plant("rules do what their tests say", f"{MIXIN}/tests.yaml",
          "\n  - interval: 1m\n    promql_expr_test:\n      - {expr: 'vector(1)', eval_time: 1m, exp_samples: []}\n", "promtool test rules"),
    plant("metrics exist", _ALERTS, _GROUP % "memwatch_planted > 0", "asks for memwatch_planted"),
    plant("an alert has a severity", _ALERTS, (_GROUP % "memwatch_up").replace("severity: info", "team: a"), "has no severity"),
    plant("an alert has a runbook", _ALERTS, (_GROUP % "memwatch_up").replace("MemwatchLeak", "MemwatchPlanted"), "has no docs/runbooks/memwatchplanted.md"),
    plant("a runbook has an alert", "docs/runbooks/memwatchgone.md", "# Gone\n", "memwatchgone.md: a runbook without an alert"),
    plant("a dashboard has our uid", f"{MIXIN}/generated/dashboards/planted.json", '{"uid": "x"}', "dashboards/planted.json"),
]


if __name__ == "__main__":
    run(check, PLANTS)
