#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Production: two releases of the order service run stripped, their debug files lie elsewhere by build id. The leak is found by function
and line, within a release and across the deployment, by whoever has the debug files, and by nobody else.

    stripped_story.py MEMWATCH LOAD V1 SOURCE_V1 V2 SOURCE_V2
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

MEMWATCH, LOAD = Path(sys.argv[1]), Path(sys.argv[2])
RELEASES = {"v1": (Path(sys.argv[3]), Path(sys.argv[4])), "v2": (Path(sys.argv[5]), Path(sys.argv[6]))}
CULPRIT = "orders::order_cache::remember"
ENOUGH_BYTES = 40 << 20  # of the leak: at R = 256 KiB 160 samples


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **more).stdout


def deploy(name: str, folder: Path) -> Path:
    """A stripped copy of the release, and its debug file below debug/.build-id."""
    whole = RELEASES[name][0]
    program = folder / name / "orders"
    program.parent.mkdir()
    build_id = re.search(r"Build ID: ([0-9a-f]+)", run("readelf", "-n", whole))[1]
    debug = folder / "debug" / ".build-id" / build_id[:2] / f"{build_id[2:]}.debug"
    debug.parent.mkdir(parents=True, exist_ok=True)
    run("objcopy", "--only-keep-debug", whole, debug)
    run("strip", "-o", program, whole)
    assert "no symbols" in subprocess.run(["nm", program], capture_output=True, text=True).stderr, "the program still has symbols"
    return program


def wait_for(what: str, ready):
    """Until ready() gives something. A deadline, not a pause: it only ends a test that would never end."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = ready()
        if found:
            return found
        time.sleep(0.1)
    raise SystemExit(f"never happened: {what}")


def serve(program: Path, folder: Path, name: str):
    """Runs the release under load; a dump before, and one when order-cache has grown by ENOUGH_BYTES."""
    log = folder / f"{name}.log"
    libraries = RELEASES["v1"][0].resolve().parents[2] / "src"  # the copy has lost the folder its way to them began in
    environment = {**os.environ, "MEMWATCH_INTERVAL": "256KiB", "LD_LIBRARY_PATH": f"{libraries}:{libraries / 'serve'}"}
    service = subprocess.Popen([program, "--port", "0", "--memwatch-port", "0"], stdout=log.open("w"), stderr=subprocess.STDOUT, env=environment)
    load = None
    try:
        def ports():
            assert service.poll() is None, log.read_text()
            return re.search(r"^orders: http://127\.0\.0\.1:(\d+)(?s:.*)^memwatch: (http://[\d.:]+)/metrics", log.read_text(), re.MULTILINE)
        started = wait_for("the service starts", ports)
        url = started[2]
        load = subprocess.Popen([LOAD, "--port", started[1], "--rate", "1000", "--seconds", "180"], stdout=subprocess.DEVNULL)

        def cache_bytes():
            with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
                found = re.search(r'^memwatch_live_bytes\{tag="order-cache"\} (\S+)', answer.read().decode(), re.MULTILINE)
            return float(found[1]) if found else 0
        first = wait_for("traffic", cache_bytes)
        dumps = [folder / f"{name}-{moment}.memtrace" for moment in ("before", "after")]
        run(MEMWATCH, "snapshot", "--url", url, "--label", f"{name}-before", "-o", dumps[0])
        wait_for("the leak", lambda: cache_bytes() - first > ENOUGH_BYTES)
        run(MEMWATCH, "snapshot", "--url", url, "--label", f"{name}-after", "-o", dumps[1])
        return dumps
    finally:
        for process in (load, service):
            if process:
                process.terminate()
                process.wait(30)


def first_row(before: Path, after: Path, *options):
    text = run(MEMWATCH, "diff", before, after, "--threshold", "5MB", "--json", *options)
    rows = json.loads(text)["rows"]
    assert rows and rows[0]["bytes"] > 0, f"nothing grew:\n{text}"
    return rows[0]


def leaking_lines(source: Path):
    """Of remember(), by the text of the file that was compiled."""
    lines = source.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if "order_cache::remember(" in line)
    end = next(i for i in range(start, len(lines)) if lines[i] == "}")
    return range(start + 1, end + 2)


def lines_in(row, source: Path):
    return [int(f["line"]) for f in frames_of(row) if CULPRIT in f.get("function", "") and f.get("file", "").endswith(source.name)]


def frames_of(row):
    found = []
    for f in row["stack"]:
        found += f.get("lines", []) or [f]
    return found


def main():
    with tempfile.TemporaryDirectory(prefix="stripped_story.") as scratch:
        folder = Path(scratch)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        debug = ("--debug-dir", folder / "debug")
        dumps = {name: serve(deploy(name, folder), folder, name) for name in RELEASES}
        expected = {name: leaking_lines(source) for name, (_, source) in RELEASES.items()}
        assert not set(expected["v1"]) & set(expected["v2"]), "the edit moves nothing"

        for case, before, after, release in [("v1", dumps["v1"][0], dumps["v1"][1], "v1"), ("v2", dumps["v2"][0], dumps["v2"][1], "v2"),
                                             ("v1 before, v2 after", dumps["v1"][0], dumps["v2"][1], "v2")]:
            blind = first_row(before, after, "--no-cache")
            assert CULPRIT not in blind["name"], f"{case}: named without debug files: {blind['name']}"
            row = first_row(before, after, *debug)
            assert CULPRIT in row["name"], f"{case}: row 1 is {row['name']}"
            lines = lines_in(row, RELEASES[release][1])
            assert lines and all(line in expected[release] for line in lines), f"{case}: lines {lines}, not in {expected[release]}"
            print(f"{case}: {row['name']} at {RELEASES[release][1].name}:{lines[0]}, {row['bytes'] / 2**20:.1f} MiB")

        # Across the deployment it is one site that grew, not one that went and one that came.
        text = run(MEMWATCH, "diff", dumps["v1"][1], dumps["v2"][1], "--all", "--focus", f"*{CULPRIT}*", "--json", *debug)
        both = [row for row in json.loads(text)["rows"] if row["before"]["bytes"] > 5e6 and row["after"]["bytes"] > 5e6]
        assert both, f"no site of v1 was recognised in v2:\n{text}"
        # The cache knows both releases now: the debug files may go.
        (folder / "debug").rename(folder / "gone")
        assert CULPRIT in first_row(dumps["v1"][0], dumps["v2"][1])["name"], "the cache does not know the names"
        # And a dump that carries its names needs neither.
        named = folder / "named.memtrace"
        run(MEMWATCH, "symbolize", dumps["v2"][1], "-o", named, "--no-cache", "--debug-dir", folder / "gone")
        assert CULPRIT in run(MEMWATCH, "show", named, "--no-symbols"), "the named dump has no names"
        print("also from the cache, and from a dump with names")


if __name__ == "__main__":
    main()
