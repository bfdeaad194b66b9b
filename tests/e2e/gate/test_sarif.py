# SPDX-License-Identifier: Apache-2.0
"""The gate's SARIF as a validator sees it: Microsoft's SARIF Multitool, which has the schema of SARIF 2.1.0 and the rules of the text.

    test_sarif.py MEMWATCH MAKE_HOSTILE BUILD_FOLDER

npm ci installs it into the build folder, from tests/e2e/gate/sarif/package-lock.json.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile

MEMWATCH, MAKE_HOSTILE, BUILD = map(os.path.abspath, sys.argv[1:4])
LOCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sarif")
SKIPPED = 77


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


def installed_multitool():
    folder = os.path.join(BUILD, "sarif-multitool")
    program = os.path.join(folder, "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool")
    if not os.path.exists(program):
        if shutil.which("npm") is None:
            skip("npm is not installed (tests/support/packages.sh tests)")
        os.makedirs(folder, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(LOCK, name), folder)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            skip("npm ci: " + done.stderr.strip().replace("\n", " ")[:400])
    if os.uname().machine != "x86_64":
        skip("the validator is an x86-64 program")
    os.chmod(program, os.stat(program).st_mode | stat.S_IXUSR)
    return program


def complaints(program, path):
    """What the validator has to say at the level of errors."""
    out = path + ".validated"
    done = subprocess.run([program, "validate", path, "--output", out, "--level", "Error"], capture_output=True, text=True, check=False,
                          env={**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"})
    if not os.path.exists(out):
        raise AssertionError(done.stdout + done.stderr)
    with open(out, encoding="utf-8-sig") as file:
        runs = json.load(file)["runs"]
    return [f"{r['ruleId']}: {json.dumps(r['message'])}" for run in runs for r in run.get("results", []) if r.get("level", "error") == "error"]


def main():
    program = installed_multitool()
    with tempfile.TemporaryDirectory(prefix="memwatch-sarif-") as folder:
        subprocess.run([MAKE_HOSTILE, folder], check=True)
        failed = False
        for name, base, head in (("breached", "base", "head"), ("passed", "head", "head")):
            path = os.path.join(folder, name + ".sarif")
            subprocess.run([MEMWATCH, "gate", f"{base}.memtrace", f"{head}.memtrace", "--no-symbols", "--sarif", path, "--exit-zero",
                            "--source-root", "/repo"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            found = complaints(program, path)
            print(f"{name}: {len(found)} errors", *found, sep="\n  ")
            failed = failed or bool(found)
        # And it does see what is wrong.
        broken = os.path.join(folder, "broken.sarif")
        with open(os.path.join(folder, "breached.sarif"), encoding="utf-8") as file:
            log = json.load(file)
        log["runs"][0]["results"][0]["message"] = {"txt": "no such property"}
        with open(broken, "w", encoding="utf-8") as file:
            json.dump(log, file)
        seen = complaints(program, broken)
        print(f"planted: {len(seen)} errors")
        return 1 if failed or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
