#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program that leaks in a real memory cgroup, until the kernel kills it: what is said before, and what is left after.

    test_limits.py MEMWATCH LEAKY [forecast]

pressure (the default, 10 s): the limit is seen and read, pressure is told in steps, and snapshots that name the leak survive the kill.
forecast (a minute): time to OOM, asked each second from the first forecast on, against the second of the kill; how many of the
intervals held it is printed, and half of them must.
Both need a memory cgroup that can be made (root; v1 or v2); where there is none that is printed, and nothing is checked.
"""
import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

MEMWATCH, LEAKY = map(os.path.abspath, sys.argv[1:3])
MIB = 1 << 20


class Group:
    """A memory cgroup of our own; None in `path` where none can be made."""

    def __init__(self, limit_bytes):
        self.path = None
        for root, name in (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")):
            path = os.path.join(root, f"memwatch-limits-{os.getpid()}")
            try:
                os.mkdir(path)
            except OSError:
                continue
            if os.path.exists(os.path.join(path, name)):
                self.path = path
                with open(os.path.join(path, name), "w", encoding="ascii") as file:
                    file.write(str(limit_bytes))
                return
            os.rmdir(path)

    def enter(self):
        with open(os.path.join(self.path, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))

    def remove(self):
        for _ in range(100):
            try:
                return os.rmdir(self.path)
            except OSError:
                time.sleep(0.05)


class Leaky:
    """The quickstart's program in the group, with a server on a free port."""

    def __init__(self, group, mib_per_s, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
        self.process = subprocess.Popen([LEAKY, f"--leak-mib-per-s={mib_per_s}", "--seconds=300"], preexec_fn=group.enter,
                                        env={**kept, "MEMWATCH_LISTEN": f"127.0.0.1:{self.port}", "MEMWATCH_STATE_DIR": folder},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.errors = ""
        self.wait_for_server()

    def wait_for_server(self):
        for _ in range(200):
            if self.timeline() is not None:
                return
            time.sleep(0.05)
        raise AssertionError("the program does not answer")

    def timeline(self):
        """None once the program is gone."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/debug/memtrace/timeline?since=2s", timeout=2) as answer:
                return json.load(answer)
        except OSError:
            return None

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.errors = self.process.communicate()[1]
        return self.process.returncode


def test_pressure(group, limit, folder):
    leaky = Leaky(group, 48, folder)
    seen = []
    try:
        while (shown := leaky.timeline()) is not None:
            seen.append(shown)
            time.sleep(0.1)
    finally:
        status = leaky.end()
    assert status == -signal.SIGKILL, (status, leaky.errors)
    assert all(each["cgroup"]["limit_bytes"] in (0, limit) for each in seen), seen[-1]["cgroup"]
    last = seen[-1]
    share = last["cgroup"]["unreclaimable_bytes"] / limit
    levels = [each["pressure"] for each in seen]
    snapshots = sorted(glob.glob(os.path.join(folder, "pressure-*.memtrace")))
    print(f"pressure: killed at {share:.0%} of {limit // MIB} MiB as last read; levels seen: {sorted(set(levels))}; "
          f"snapshots: {[os.path.basename(s) for s in snapshots]}")
    assert share > 0.8, last["cgroup"]
    assert levels[0] == "none" and "some" in levels, levels
    assert levels == sorted(levels, key=["none", "some", "critical"].index), "it only rose"
    assert "event=memory_pressure pressure=some" in leaky.errors, leaky.errors
    named = [s for s in snapshots if "-some." in s]
    assert named, leaky.errors
    report = subprocess.run([MEMWATCH, "show", "--top", "3", named[0]], capture_output=True, text=True, check=True).stdout
    assert "leaky::" in report, report
    # Coming near the end, readings come more often than once a second.
    times = sorted({each["time_ns"] for each in seen if each["pressure"] != "none"})
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert gaps and min(gaps) < 500_000_000, gaps


def test_forecast(group, _, folder):
    leaky = Leaky(group, 12, folder)
    said = []
    try:
        while (shown := leaky.timeline()) is not None:
            if shown["forecast"] is not None:
                said.append((time.monotonic(), shown["forecast"]))
            time.sleep(1)
    finally:
        status = leaky.end()
    killed = time.monotonic()
    assert status == -signal.SIGKILL, (status, leaky.errors)
    assert len(said) >= 5, "no forecast"
    held = 0
    for asked, forecast in said:
        left = killed - asked
        # The kill comes when nothing is left to be reclaimed, up to a reading and a poll of ours after the limit was met.
        held += forecast["least_seconds"] - 1.5 <= left <= (forecast["most_seconds"] or float("inf")) + 1.5
        print(f"  {left:5.1f} s before the kill: {forecast['seconds']:5.1f} s ({forecast['least_seconds']:.1f} .. {forecast['most_seconds']:.1f})")
    print(f"forecast: {held} of {len(said)} intervals held the kill")
    assert held * 2 >= len(said)


def main():
    name = sys.argv[3] if len(sys.argv) > 3 else "pressure"
    limit = (300 if name == "pressure" else 640) * MIB
    group = Group(limit)
    if group.path is None:
        print(f"skipped: {name}: no memory cgroup can be made here")
        return
    try:
        with tempfile.TemporaryDirectory(prefix="memwatch-limits-") as folder:
            {"pressure": test_pressure, "forecast": test_forecast}[name](group, limit, folder)
    finally:
        group.remove()
    print("passed")


main()
