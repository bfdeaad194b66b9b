#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A footprint against what programs know of themselves and what the kernel says from outside, over one allocator:

  fragmenter   knows its live bytes, its free pages and its holes, and in the end lets the allocator give back what it can
  redis-server unchanged, preloaded; filled, thinned out, flushed
  orders       the demo under load, with the SDK linked in

  test_footprint.py --allocator glibc|jemalloc|tcmalloc|mimalloc --memwatch M --preload SO --fragmenter F --no-jemalloc SO
                    [--orders O --load L] [--show]

At each stage: rows and `unexplained` add up to VmRSS, VmRSS is what /proc says, and |unexplained| <= 2 % of it; nothing hides in
memory that is nobody's. Ends with 77 and a reason where the allocator is not installed; leaves out redis-server, with a word, where
there is none.
"""
import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIBRARIES = {"glibc": None, "jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4", "mimalloc": "libmimalloc.so.2"}
MIB = 1 << 20
MOST_UNEXPLAINED = 0.02
failures = []
shares = []


def library_path(name):
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(re.escape(name) + r" .*=> (\S+)", listing)
    return found.group(1) if found else None


def check(is_so, what):
    if not is_so:
        failures.append(what)
        print("NOT SO: " + what)


class Asked:
    """One footprint of a process, and what of it is checked always."""

    def __init__(self, arguments, pid, where):
        text = subprocess.run([arguments.memwatch, "footprint", "--pid", str(pid), "--format", "json"], capture_output=True,
                              text=True, timeout=60)
        if text.returncode != 0:
            raise SystemExit(f"{where}: {text.stderr}")
        self.all = json.loads(text.stdout)
        self.where = f"{arguments.allocator}, {where}"
        self.resident = self.all["resident_bytes"]
        self.owner = next((a for a in self.all["allocators"] if a["is_in_charge"]), None)
        self.check_sums(pid, arguments.allocator)
        if arguments.show:
            print(f"{self.where}: " + ", ".join(f"{r['part']} {r['bytes'] / MIB:.1f}" for r in self.all["rows"]))

    def of(self, *parts):
        return sum(row["bytes"] for row in self.all["rows"] if row["part"] in parts)

    def check_sums(self, pid, allocator):
        share = self.all["unexplained_bytes"] / self.resident
        shares.append(share)
        print(f"{self.where}: VmRSS {self.resident / MIB:.1f} MiB, unexplained {100 * share:+.2f} %, {self.all['took_ns'] / 1e6:.0f} ms")
        check(self.all["not_detailed"] == "", f"{self.where}: it was looked through")
        check(abs(share) <= MOST_UNEXPLAINED, f"{self.where}: unexplained {100 * share:+.2f} %")
        total = sum(row["bytes"] for row in self.all["rows"]) + self.all["unexplained_bytes"]
        check(total == self.resident, f"{self.where}: rows add up to {total}, VmRSS is {self.resident}")
        status = int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024
        check(abs(status - self.resident) <= 0.02 * status + MIB, f"{self.where}: /proc says {status}, it says {self.resident}")
        check(self.owner is not None and self.owner["name"] == allocator, f"{self.where}: in charge is {self.owner}")
        check(self.of("anonymous") <= 0.02 * self.resident + MIB, f"{self.where}: {self.of('anonymous')} are nobody's")
        cgroup = self.all["cgroup"]
        if cgroup["version"] != 0:
            rows = sum(row["bytes"] for row in cgroup["rows"]) + cgroup["unexplained_bytes"]
            check(rows == cgroup["current_bytes"], f"{self.where}: the group's rows add up to {rows}")

    def near(self, what, measured, truth, tolerance):
        check(abs(measured - truth) <= tolerance * self.resident,
              f"{self.where}: {what} is {truth / MIB:.1f} MiB, measured {measured / MIB:.1f} MiB")


class Environment:
    def __init__(self, arguments):
        self.plain = {k: v for k, v in os.environ.items() if not k.startswith(("MEMWATCH_", "LD_PRELOAD"))}
        self.library = library_path(LIBRARIES[arguments.allocator]) if LIBRARIES[arguments.allocator] else None

    def preloaded(self, *first):
        return {**self.plain, "LD_PRELOAD": ":".join([*first] + ([self.library] if self.library else []))}


def fragment(arguments, environment, threads):
    victim = subprocess.Popen([arguments.fragmenter, str(threads)], env=environment.preloaded(arguments.preload), text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    blocks = 400_000
    own_lists = 2 * 16 * blocks  # its lists of blocks, which live, too
    reclaimable = 0
    for stage in ("filled", "holes", "gone"):
        truth = json.loads(victim.stdout.readline())
        assert truth["stage"] == stage, truth
        seen = Asked(arguments, victim.pid, f"fragmenter of {threads}, {stage}")
        freed = truth["whole_pages"] + truth["holes"]
        if arguments.allocator == "mimalloc":  # live is an estimate of memwatch's, and free what that leaves
            error = next(r["error_bytes"] for r in seen.all["rows"] if r["part"] == "tracked_live")
            seen.near("what is free", seen.of("retained", "fragmentation"), freed, 0.05 + 4 * error / seen.resident)
        else:
            # A block's header of 8 bytes is live to glibc, and a hole to the program.
            seen.near("what lives", seen.of("tracked_live", "untracked_live"), truth["live"] + own_lists, 0.05)
            seen.near("what is free", seen.of("retained", "fragmentation"), freed, 0.05)
        if arguments.allocator == "glibc":  # others give back spans and slabs, not pages
            seen.near("what is free on whole pages", seen.of("retained"), truth["whole_pages"], 0.03)
        if stage == "gone":
            check(any("allocator retention, not a leak" in s for s in seen.all["sentences"]), f"{seen.where}: it is said")
        reclaimable = seen.owner["reclaimable_bytes"] if seen.owner else 0
        victim.stdin.write("\n")
        victim.stdin.flush()
    last = json.loads(victim.stdout.readline())
    print(f"{seen.where}: reclaimable {reclaimable / MIB:.1f} MiB, gave back {(last['before'] - last['after']) / MIB:.1f} MiB")
    if arguments.allocator != "mimalloc":
        seen.near("what is given back", reclaimable, last["before"] - last["after"], 0.03)
    victim.stdin.close()
    victim.wait(30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(is_so, what, seconds=20):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit("waited in vain for " + what)
        time.sleep(0.05)


def redis(arguments, environment):
    server = shutil.which("redis-server")
    if server is None or shutil.which("redis-cli") is None:
        print("left out: redis-server is not installed")
        return
    port = str(free_port())
    variables = environment.preloaded(arguments.preload)
    with tempfile.TemporaryDirectory() as folder:
        if environment.library is None:  # Debian's is linked to jemalloc
            os.symlink(arguments.no_jemalloc, Path(folder) / "libjemalloc.so.2")
            variables["LD_LIBRARY_PATH"] = folder
        process = subprocess.Popen([server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning",
                                    "--enable-debug-command", "yes"], env=variables, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            def ask(*words):
                return subprocess.run(["redis-cli", "-p", port, *words], capture_output=True, text=True, timeout=60).stdout
            wait_until(lambda: ask("ping").strip() == "PONG", "redis-server")
            Asked(arguments, process.pid, "redis idle")
            ask("debug", "populate", "300000", "key", "100")
            Asked(arguments, process.pid, "redis with 300,000 keys")
            ask("eval", "for i=0,299999,1 do if i%4~=0 then redis.call('del','key:'..i) end end", "0")
            thinned = Asked(arguments, process.pid, "redis with a quarter of them")
            ask("flushall")
            Asked(arguments, process.pid, "redis flushed")
            if arguments.allocator != "mimalloc":
                check(thinned.of("fragmentation") > 20 * MIB, f"{thinned.where}: fragmentation is {thinned.of('fragmentation')}")
        finally:
            process.terminate()
            process.wait(20)


def demo(arguments, environment):
    port, page = str(free_port()), str(free_port())
    variables = {**environment.preloaded(), "MEMWATCH_CONTROL": "auto"}
    process = subprocess.Popen([arguments.orders, "--port", port, "--memwatch-port", page], env=variables, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        def is_up():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", int(port))) == 0
        wait_until(is_up, "the demo")
        for seconds in (2, 3):
            subprocess.run([arguments.load, "--port", port, "--seconds", str(seconds)], check=True, stdout=subprocess.DEVNULL, timeout=60)
            Asked(arguments, process.pid, f"demo after {seconds} more seconds")
    finally:
        process.terminate()
        process.wait(20)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--allocator", choices=LIBRARIES, required=True)
    for name in ("memwatch", "preload", "fragmenter", "no-jemalloc"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--orders")
    parser.add_argument("--load")
    parser.add_argument("--show", action="store_true", help="all rows, MiB")
    arguments = parser.parse_args()
    for name in ("memwatch", "preload", "fragmenter", "no_jemalloc", "orders", "load"):
        if getattr(arguments, name):
            setattr(arguments, name, str(Path(getattr(arguments, name)).resolve()))
    environment = Environment(arguments)
    if LIBRARIES[arguments.allocator] and environment.library is None:
        print(f"{arguments.allocator} is not installed")
        return 77
    fragment(arguments, environment, 1)
    fragment(arguments, environment, 4)
    redis(arguments, environment)
    if arguments.orders:
        demo(arguments, environment)
    print(f"{len(shares)} footprints, unexplained at most {100 * max(abs(s) for s in shares):.2f} %")
    print("\n".join(["", *failures]) if failures else "all of it adds up")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
