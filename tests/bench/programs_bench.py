#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs from Debian, unchanged, under memwatch: throughput beside a plain run, memory, and whether they still say the same.

  programs_bench.py --preload SO [--rounds N] [--program NAME]... [--contender NAME]...

Each round runs every contender once, in an order that rotates. The figure is the ratio of throughputs, contender : plain, pair by
pair; printed are the median and a 95 % confidence interval of it (order statistics of the pairs, no assumption on their
distribution). A program or peer that is not installed is named and left out. Wrong output ends the run.
"""
import argparse
import glob
import hashlib
import math
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SQL = """
create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x+1 from c where x<400000) insert into t select x, printf('%08d-%08d', x, x*7919%1000003) from c;
create index i on t(b);
select count(*), sum(length(b)), max(b) from t;
select count(*) from t a join t b on a.b=b.b;
"""
PYTHON = """
import json, random
random.seed(1)
d = [{"a": i, "b": str(i) * 3, "c": [random.random() for _ in range(5)]} for i in range(40000)]
for _ in range(3):
    s = json.dumps(d)
    d = json.loads(s)
x = sorted(d, key=lambda e: e["b"])
print(len(s), x[0]["b"], x[-1]["b"])
"""
CPP = """
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>
int main() {
    std::regex r("a+b*");
    std::map<std::string, std::function<int(int)>> m;
    m["x"] = [](int i) { return i; };
    std::cout << m["x"](3) << std::regex_match("aab", r);
}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process):
    for _ in range(200):
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not listen")


def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        found = re.search(r"VmHWM:\s+(\d+)", status.read())
    return int(found.group(1)) if found else 0


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class outcome:
    """Work per second, peak memory of the program under test, and what it said (compared between contenders)."""

    def __init__(self, rate, kib, said):
        self.rate, self.kib, self.said = rate, kib, said


def timed(command, environment, stdin=None, output_file=None):
    start = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(stdin)
    elapsed = time.monotonic() - start
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {process.returncode}: {err[-400:]}")
    if output_file:
        with open(output_file, "rb") as f:
            out += hashlib.sha256(f.read()).hexdigest()
    return outcome(1 / elapsed, 0, out)


def run_sqlite(environment, folder):
    return timed(["sqlite3", ":memory:"], environment, SQL)


def run_python(environment, folder):
    return timed(["/usr/bin/python3", "-c", PYTHON], environment)


def run_gcc(environment, folder):
    source, result = os.path.join(folder, "big.cpp"), os.path.join(folder, "big.o")
    with open(source, "w", encoding="ascii") as f:
        f.write(CPP)
    return timed(["g++", "-std=c++20", "-O1", "-c", source, "-o", result], environment, output_file=result)


def run_redis(environment, folder):
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                               "--dir", folder], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, server)
        # -P 16: the server is the bottleneck, not the loopback.
        done = subprocess.run(["redis-benchmark", "-p", str(port), "-t", "set", "-n", "600000", "-r", "200000", "-d", "32", "-P", "16", "-q"],
                              capture_output=True, text=True, check=True)
        rate = float(re.findall(r"SET: ([\d.]+) requests per second", done.stdout)[-1])
        keys = subprocess.run(["redis-cli", "-p", str(port), "dbsize"], capture_output=True, text=True, check=True).stdout
        # Which of the 200,000 keys are hit is drawn at random.
        said = "keys fine" if int(keys) > 180000 else f"{keys} keys"
        return outcome(rate, peak_kib(server.pid), said)
    finally:
        stop(server)


def run_rocksdb(environment, folder):
    database = os.path.join(folder, "db")
    shutil.rmtree(database, ignore_errors=True)
    done = subprocess.run(["db_bench", "--benchmarks=fillrandom", "--num=400000", "--db=" + database, "--value_size=100",
                           "--disable_wal=1", "--threads=1"], env=environment, capture_output=True, text=True)
    found = re.search(r"fillrandom\s*:\s*[\d.]+ micros/op (\d+) ops/sec", done.stdout)
    if done.returncode != 0 or not found:
        raise SystemExit(f"db_bench ended with {done.returncode}: {done.stderr[-400:]}")
    return outcome(float(found.group(1)), 0, "filled")


def run_nginx(environment, folder):
    port = free_port()
    root = os.path.join(folder, "html")
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, "index.html"), "w", encoding="ascii") as f:
        f.write("x" * 2000)
    configuration = os.path.join(folder, "nginx.conf")
    with open(configuration, "w", encoding="ascii") as f:
        f.write(f"""daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {root}; }} }}
""")
    os.chmod(folder, 0o755)
    server = subprocess.Popen(["nginx", "-p", folder, "-c", configuration], env=environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, server)
        done = subprocess.run(["ab", "-q", "-k", "-n", "60000", "-c", "8", f"http://127.0.0.1:{port}/index.html"],
                              capture_output=True, text=True, check=True)
        rate = float(re.search(r"Requests per second:\s+([\d.]+)", done.stdout).group(1))
        failed = re.search(r"Failed requests:\s+(\d+)", done.stdout).group(1)
        return outcome(rate, 0, f"{failed} failed")
    finally:
        stop(server)


PROGRAMS = {
    "sqlite3": (run_sqlite, ["sqlite3"]),
    "python3": (run_python, ["/usr/bin/python3"]),
    "g++": (run_gcc, ["g++"]),
    "redis-server": (run_redis, ["redis-server", "redis-benchmark"]),
    "db_bench": (run_rocksdb, ["db_bench"]),
    "nginx": (run_nginx, ["nginx", "ab"]),
}


def contenders(preload):
    found = {
        "plain": {},
        "memwatch on": {"LD_PRELOAD": preload},
        "memwatch full": {"LD_PRELOAD": preload, "MEMWATCH_PRESET": "full"},
    }
    heaptrack = glob.glob("/usr/lib/*/heaptrack/libheaptrack_preload.so") + glob.glob("/usr/lib/heaptrack/libheaptrack_preload.so")
    if heaptrack:
        found["heaptrack"] = {"LD_PRELOAD": heaptrack[0], "DUMP_HEAPTRACK_OUTPUT": "/dev/null"}
    else:
        print("not installed, left out: heaptrack")
    return found


def confidence(values):
    """95 % for the median: order statistics l and u with binomial(n, 1/2) mass of at least 95 % between them."""
    values = sorted(values)
    n = len(values)
    mass, low = 0.0, 0
    for k in range(n // 2):
        mass += math.comb(n, k) / 2**n
        if mass > 0.025:
            break
        low = k
    return values[low], values[n - 1 - low]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preload", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--program", action="append", choices=PROGRAMS)
    parser.add_argument("--contender", action="append")
    arguments = parser.parse_args()
    everyone = contenders(arguments.preload)
    chosen = {n: v for n, v in everyone.items() if n == "plain" or not arguments.contender or n in arguments.contender}

    for name in arguments.program or PROGRAMS:
        run, needed = PROGRAMS[name]
        missing = [p for p in needed if shutil.which(p) is None]
        if missing:
            print(f"{name}: left out, not installed: {' '.join(missing)}")
            continue
        results = {c: [] for c in chosen}
        order = list(chosen)
        with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
            for round_number in range(arguments.rounds):
                turn = round_number % len(order)
                for contender in order[turn:] + order[:turn]:
                    base = {k: v for k, v in os.environ.items() if not k.startswith(("MEMWATCH_", "LD_PRELOAD"))}
                    results[contender].append(run({**base, **chosen[contender]}, folder))
        said = {o.said for outcomes in results.values() for o in outcomes}
        if len(said) != 1:
            raise SystemExit(f"{name}: output differs: {said}")
        print(f"{name}: {arguments.rounds} rounds in turn, output the same in all")
        for contender, outcomes in results.items():
            ratios = [o.rate / p.rate for o, p in zip(outcomes, results["plain"])]
            low, high = confidence(ratios)
            line = f"  {contender:16} {statistics.median(o.rate for o in outcomes):12.1f}/s"
            if contender != "plain":
                line += f"   ratio {statistics.median(ratios):.3f}  [{low:.3f} .. {high:.3f}]"
            if outcomes[0].kib:
                more = statistics.median(o.kib for o in outcomes) - statistics.median(p.kib for p in results["plain"])
                line += f"   peak {statistics.median(o.kib for o in outcomes) / 1024:.1f} MiB ({more / 1024:+.1f})"
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
