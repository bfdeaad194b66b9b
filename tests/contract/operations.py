# SPDX-License-Identifier: Apache-2.0
"""The files of examples/operations that other programs read: Kubernetes manifests, systemd units, the container file.

Complaints: an object that kubernetes.schema.json does not know, a selector that selects nothing, a port, secret or volume that is not
there; a unit that `systemd-analyze verify` refuses, or the service is more exposed than 2.5 by `systemd-analyze security`; an instruction no
container file has, a package that memwatch is not built with; a MEMWATCH_ variable that is no option. Skips (77) where PyYAML, jsonschema or
systemd-analyze is missing.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

from source_tree import plant, run

HERE = "examples/operations"
MOST_EXPOSED = 25  # tenths
INSTRUCTIONS = {"FROM", "RUN", "COPY", "WORKDIR", "USER", "EXPOSE", "ENTRYPOINT", "CMD", "ENV", "LABEL", "ARG", "VOLUME"}
LATER_THAN_252 = {"MemoryPressureWatch", "MemoryPressureThresholdSec"}  # systemd 254; Debian 12 has 252

if shutil.which("systemd-analyze") is None:
    print("SKIP: systemd-analyze is not installed (tests/support/packages.sh tests)")
    sys.exit(77)
try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"SKIP: {missing} (tests/support/packages.sh tests)")
    sys.exit(77)


def kubernetes_objects(root: Path):
    """(where, object) of each; the generated rule as well."""
    for file in sorted([*(root / HERE / "kubernetes").glob("*.yaml"), *(root / HERE / "mixin/generated/kubernetes").glob("*.yaml")]):
        for each in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            yield str(file.relative_to(root)), each


def is_selected(labels: Dict, selector: Dict) -> bool:
    return all(labels.get(name) == value for name, value in selector.items())


def check_references(where: str, each: Dict, pods: List[Dict], others: List[Dict]) -> List[str]:
    """What an object names is there: in these files, which belong together."""
    complaints, kind, spec = [], each["kind"], each.get("spec", {})
    names = {port["name"] for pod in pods for container in pod["spec"]["containers"] for port in container.get("ports", [])}
    selector = spec.get("podSelector", spec.get("selector", {}))
    selector = selector.get("matchLabels", selector) if kind != "PrometheusRule" else {}
    candidates = [o["metadata"] for o in others if o["kind"] == "Service"] if kind == "ServiceMonitor" else [pod["metadata"] for pod in pods]
    if selector and not any(is_selected(c.get("labels", {}), selector) for c in candidates):
        complaints.append(f"{where}: {kind} selects nothing: {selector}")
    wanted = [p["targetPort"] for p in spec.get("ports", [])] + [p["port"] for p in spec.get("endpoints", []) + spec.get("podMetricsEndpoints", [])]
    wanted += [p["port"] for rule in spec.get("ingress", []) for p in rule.get("ports", [])]
    complaints += [f"{where}: {kind} names port {port}, which no container has" for port in wanted if port not in names]
    return complaints


def check_pod(where: str, pod: Dict, others: List[Dict]) -> List[str]:
    complaints = []
    secrets = {o["metadata"]["name"]: o["stringData"] for o in others if o["kind"] == "Secret"}
    volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
    for container in pod["spec"]["containers"]:
        ports = {port["name"] for port in container.get("ports", [])}
        probed = {container[p]["httpGet"]["port"] for p in ("startupProbe", "livenessProbe", "readinessProbe") if p in container}
        complaints += [f"{where}: a probe of port {port}, which the container has not" for port in sorted(probed - ports)]
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        complaints += [f"{where}: volume {name} is mounted, and none" for name in sorted(mounted - volumes)]
        for variable in container.get("env", []):
            secret = variable.get("valueFrom", {}).get("secretKeyRef")
            if secret and secret["key"] not in secrets.get(secret["name"], {}):
                complaints.append(f"{where}: no secret {secret['name']}/{secret['key']}")
    return complaints


def check_kubernetes(root: Path) -> List[str]:
    schema = json.loads((root / "tests/contract/kubernetes.schema.json").read_text(encoding="utf-8"))
    complaints, objects = [], list(kubernetes_objects(root))
    for where, each in objects:
        try:
            jsonschema.validate(each, schema)
        except jsonschema.ValidationError as e:
            best = jsonschema.exceptions.best_match([e])
            complaints.append(f"{where}: {each.get('kind')}: {best.message.splitlines()[0][:200]}")
    if complaints:
        return complaints
    pods = [each["spec"]["template"] for _, each in objects if each["kind"] == "Deployment"]
    others = [each for _, each in objects]
    for where, each in objects:
        complaints += check_references(where, each, pods, others)
    for pod in pods:
        complaints += check_pod(f"{HERE}/kubernetes", pod, others)
    return complaints


def check_systemd(root: Path) -> List[str]:
    complaints = []
    folder = root / HERE / "systemd"
    with tempfile.TemporaryDirectory(prefix="memwatch-units-") as temporary:
        unit = Path(temporary) / "orders.service"
        text = (folder / "orders.service").read_text(encoding="utf-8")
        unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE), encoding="utf-8")
        for drop_in in [None, *sorted(folder.glob("*.conf"))]:
            if drop_in is not None:
                (Path(temporary) / "orders.service.d").mkdir(exist_ok=True)
                shutil.copy(drop_in, Path(temporary) / "orders.service.d" / drop_in.name)
            name = (drop_in or folder / "orders.service").name
            done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
            said = [line for line in (done.stdout + done.stderr).splitlines() if "orders.service" in line and not any(f"'{key}'" in line for key in LATER_THAN_252)]
            complaints += [f"{HERE}/systemd/{name}: {line.split(': ', 1)[-1]}" for line in said]
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(unit)], capture_output=True, text=True)
        if done.returncode != 0:
            complaints.append(f"{HERE}/systemd/orders.service: more exposed than {MOST_EXPOSED / 10}: {done.stdout.strip().splitlines()[-1] if done.stdout else done.stderr.strip()}")
    return sorted(set(complaints))


def check_container(root: Path) -> List[str]:
    where, complaints = f"{HERE}/container/Containerfile", []
    text = re.sub(r"\\\n", " ", (root / where).read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in lines:
        if line.split()[0] not in INSTRUCTIONS:
            complaints.append(f"{where}: no instruction: {line.split()[0]}")
    if not any(re.fullmatch(r"USER [1-9]\d*(:[1-9]\d*)?", line) for line in lines):
        complaints.append(f"{where}: runs as root")
    # The checker's copies of the tree have no tests/support.
    script = Path(__file__).resolve().parents[1] / "support/packages.sh"
    demo = script.read_text(encoding="utf-8").split("demo_packages=(", 1)[1].split("\n)", 1)[0]
    known = {word for line in demo.splitlines() for word in line.split("#")[0].split()} - {"curl", "python3"}
    build = re.search(r"apt-get install -y --no-install-recommends (.*)", text)
    installed = set(build[1].split()) if build else set()
    complaints += [f"{where}: {package} is what memwatch is built with" for package in sorted(known - installed)]
    return complaints + [f"{where}: memwatch is not built with {package}" for package in sorted(installed - known)]


def check_variables(root: Path) -> List[str]:
    known = set()
    for table in ("options.def", "server_options.def"):
        known |= set(re.findall(r'"(MEMWATCH_[A-Z_]+)"', (root / "include/memwatch" / table).read_text(encoding="utf-8")))
    complaints = []
    for folder in ("kubernetes", "systemd", "container"):
        for file in sorted((root / HERE / folder).iterdir()):
            for name in sorted(set(re.findall(r"\bMEMWATCH_[A-Z_]+", file.read_text(encoding="utf-8"))) - known):
                complaints.append(f"{file.relative_to(root)}: {name} is no option")
    return complaints


def check(root: Path) -> List[str]:
    try:
        return check_kubernetes(root) + check_systemd(root) + check_container(root) + check_variables(root)
    except yaml.YAMLError as e:
        return [f"{HERE}/kubernetes: {' '.join(str(e).split())}"]


_POLICY = "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: planted}\nspec:\n  podSelector: {matchLabels: {app: %s}}\n  policyTypes: [%s]\n"
PLANTS = [
    plant("manifests are YAML", f"{HERE}/kubernetes/orders.yaml", "---\na: [b\n", "examples/operations/kubernetes"),
    plant("objects are the API's", f"{HERE}/kubernetes/orders.yaml", _POLICY % ("orders", "Ingres"), "NetworkPolicy"),
    plant("selectors select", f"{HERE}/kubernetes/orders.yaml", _POLICY % ("order", "Ingress"), "selects nothing"),
    plant("ports are there", f"{HERE}/kubernetes/monitors.yaml", "    - {port: memwatsh}\n", "names port memwatsh"),
    plant("units are systemd's", f"{HERE}/systemd/any-program.conf", "NoNewPrivilege=yes\n", "any-program.conf"),
    plant("the service is closed", f"{HERE}/systemd/any-program.conf", "ProtectSystem=no\nPrivateDevices=no\nNoNewPrivileges=no\nCapabilityBoundingSet=~\nSystemCallFilter=\n", "more exposed"),
    plant("container files have instructions", f"{HERE}/container/Containerfile", "RUNN true\n", "no instruction: RUNN"),
    plant("variables are options", f"{HERE}/systemd/any-program.conf", "Environment=MEMWATCH_LISTN=1\n", "MEMWATCH_LISTN is no option"),
    plant("innocent: a drop-in for a later systemd", f"{HERE}/systemd/memory-pressure.conf", "MemoryPressureThresholdSec=200ms\n", None),
]


if __name__ == "__main__":
    run(check, PLANTS)
