#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What memwatch costs a whole service: the order service with everything on - preset `on`, server, verdicts, memory watch, black box,
history - beside the same sources with memwatch compiled out (-DMEMWATCH_DISABLE), under the same load.

  service_bench.py --with ORDERS --without ORDERS_WITHOUT --load ORDERS_LOAD [--pairs N] [--seconds S] [--rate R]

A pair is one of each, one after the other, in an order that alternates; both services are fresh. Two phases each: at full load
(as many requests as it can answer) the throughput, at a steady rate of half of that the 99th percentile of latency. Resident
memory is read at the end of both. What is compared is the ratio (difference for bytes) within each pair: geometric mean over the pairs
with a one-sided 95 % confidence bound (Student's t), which is what is held against the limit. CPU time per request is beside
them, because wall-clock figures of one machine shared with its load generator are noisy.

Exit status: 0 all bounds hold, 1 one does not, 77 fewer than 2 CPUs. Run it on a calm machine.
"""
import argparse
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# Of memtrace's own page, for a service at full load: what it publishes of itself.
PUBLISHED = "memtrace publishes for full load: +3.4 % CPU, +92 MB resident, +0.8 ms p99"
T95 = {5: 2.015, 10: 1.812, 15: 1.753, 19: 1.729, 20: 1.725, 25: 1.708, 30: 1.697, 40: 1.684, 60: 1.671}  # one-sided, by degrees of freedom


def t_of(freedom):
    return T95[max((each for each in T95 if each <= freedom), default=5)]


def bound(values, side):
    """Mean, and where it is with 95 % confidence above (side -1: lower bound) or below (side 1: upper bound)."""
    mean = statistics.mean(values)
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return mean, mean + side * t_of(len(values) - 1) * error


class service:
    def __init__(self, program, is_watched, state_folder):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
        if is_watched:
            kept.update({"MEMWATCH_STATE_DIR": state_folder, "MEMWATCH_HISTORY_EVERY": "5s", "MEMWATCH_VERDICTS": "on", "XDG_RUNTIME_DIR": state_folder})
        self.child = subprocess.Popen([program, "--port", "0", "--memwatch-port", "0", "--fix"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      text=True, env=kept)
        said = ""
        while not (found := re.search(r"127\.0\.0\.1:(\d+)", said)):
            line = self.child.stdout.readline()
            if not line:
                raise SystemExit(f"{program} did not start: {said}")
            said += line
        self.port = found.group(1)

    def cpu_seconds(self):
        fields = open(f"/proc/{self.child.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{self.child.pid}/status").read()).group(1)) << 10

    def stop(self):
        self.child.terminate()
        self.child.communicate(timeout=30)


FULL = 100_000  # a second: more than it can answer, so that each answer is followed by the next request


def drive(load, port, rate, requests, seed):
    """Requests a second and the 99th percentile of latency, of a fixed number of requests."""
    began = time.monotonic()
    done = subprocess.run([load, "--port", port, "--seconds", "3600", "--rate", str(rate), "--requests", str(requests), "--seed", str(seed)],
                          capture_output=True, text=True, timeout=600)
    elapsed = time.monotonic() - began
    p99 = re.search(r"p99 ([\d.]+) ms", done.stdout)
    if done.returncode != 0 or not p99:
        raise SystemExit(f"{load}: status {done.returncode}: {done.stdout}{done.stderr}")
    return requests / elapsed, float(p99.group(1))


def measure(program, is_watched, how, seed):
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o700)
    one = service(program, is_watched, folder)
    try:
        before = one.cpu_seconds()
        throughput, _ = drive(how.load, one.port, FULL, 2 * how.rate * how.seconds, seed)
        cpu = one.cpu_seconds() - before
        _, p99 = drive(how.load, one.port, how.rate, how.rate * how.seconds, seed)
        return {"throughput": throughput, "cpu": cpu, "p99": p99, "resident": one.resident_bytes()}
    finally:
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", dest="watched", required=True)
    parser.add_argument("--without", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=5, help="of each phase")
    parser.add_argument("--rate", type=int, default=0, help="requests a second of the steady phase; 0: half of what the first run could")
    how = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        print("skipped: one CPU is not enough for a service and its load")
        return 77
    if how.rate == 0:
        probe = service(how.without, False, "")
        how.rate = int(drive(how.load, probe.port, FULL, 20_000, 1)[0] / 2)
        probe.stop()
    print(f"{how.pairs} pairs, {how.seconds} s a phase, steady rate {how.rate}/s, load average {os.getloadavg()[0]:.1f}")
    pairs = []
    for i in range(how.pairs):
        programs = [(how.without, False), (how.watched, True)]
        if i % 2:
            programs.reverse()
        both = {is_watched: measure(program, is_watched, how, i + 1) for program, is_watched in programs}
        pairs.append((both[False], both[True]))
        print(f"  pair {i + 1}: {both[False]['throughput']:.0f} -> {both[True]['throughput']:.0f} requests/s, p99 {both[False]['p99']:.2f} -> "
              f"{both[True]['p99']:.2f} ms, {both[False]['resident'] / 2**20:.1f} -> {both[True]['resident'] / 2**20:.1f} MiB", flush=True)

    def ratio_bound(name, side):  # of logarithms: half and twice as much are equally far from 1
        mean, limit = bound([math.log(each) for each in ratios(name)], side)
        return math.exp(mean), math.exp(limit)

    def ratios(name):
        return [on[name] / off[name] for off, on in pairs]
    results = [
        ("throughput, ratio", *ratio_bound("throughput", -1), lambda v: v >= 0.99, ">= 0.99"),
        ("p99 latency, ratio", *ratio_bound("p99", 1), lambda v: v <= 1.02, "<= 1.02"),
        ("resident, MiB more", *bound([(on["resident"] - off["resident"]) / 2**20 for off, on in pairs], 1), lambda v: v <= 16, "<= 16"),
    ]
    has_failed = False
    for name, mean, limit, holds, wanted in results:
        has_failed |= not holds(limit)
        print(f"{name}: {mean:.4f}, with 95 % confidence {'above' if '>' in wanted else 'below'} {limit:.4f}; wanted {wanted}: "
              f"{'holds' if holds(limit) else 'DOES NOT HOLD'}; median {statistics.median(ratios({'t': 'throughput', 'p': 'p99'}[name[0]])) if name[0] in 'tp' else mean:.4f}")
    mean, limit = ratio_bound("cpu", 1)
    print(f"CPU a request at full load, ratio: {mean:.4f}, below {limit:.4f}")
    more_ms = statistics.mean(on["p99"] - off["p99"] for off, on in pairs)
    print(f"ours: {(mean - 1) * 100:+.1f} % CPU, {results[2][1] * 2**20 / 1e6:+.1f} MB resident, {more_ms:+.2f} ms p99. {PUBLISHED}")
    return 1 if has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
