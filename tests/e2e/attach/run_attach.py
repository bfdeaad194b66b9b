#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""memwatch attach and detach on programs that run: what is seen, what is left behind, and what is refused.

  run_attach.py CASE --memwatch EXE --victim EXE --plain EXE --module SO --hang SO --static EXE --preload SO --linked EXE

CASE: linked, glibc, jemalloc, tcmalloc, mimalloc (the victim over that allocator), lazy, full, plain, redis, refusals, hang. Ends with 77 and a
reason where something needed is missing or tracing is forbidden.
"""
import argparse
import contextlib
import ctypes
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

LIBRARIES = {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc.so.4", "mimalloc": "libmimalloc.so.2"}
BELIEVES_SIZES = {"jemalloc", "tcmalloc"}
SIZED = re.compile(r"^(_Zd[la]Pvm(St11align_val_t)?|sdallocx|tc_\w+_sized|free_sized|free_aligned_sized)$")
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
NOBODY = 65534


class Skip(Exception):
    pass


def expect(is_right, what):
    if not is_right:
        raise AssertionError(what)


def clean_environment(**more):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MEMWATCH_", "LD_"))}
    return {**environment, **more}


def memwatch(options, *words, expected=0, **how):
    how.setdefault("env", clean_environment())
    done = subprocess.run([options.memwatch, *map(str, words)], capture_output=True, text=True, timeout=200, **how)
    expect(done.returncode == expected, f"memwatch {' '.join(map(str, words))}: status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def library_path(name):
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(re.escape(name) + r" .*=> (\S+)", listing)
    if found is None:
        raise Skip(f"{name} is not installed")
    return found.group(1)


class Victim:
    def __init__(self, *command, **variables):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean_environment(**variables))
        self.pid = self.process.pid
        expect(self.process.stdout.readline() == "ready.\n", "the victim starts")

    def ask(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            expect(line != "", f"the victim lives through '{word}'")
            if line == ".\n":
                return lines
            lines.append(line.rstrip("\n"))

    def rounds(self):
        return int(self.ask("rounds")[0])

    def is_going_on(self):
        before = self.rounds()
        until = time.monotonic() + 20
        while self.rounds() < before + 20:
            expect(time.monotonic() < until, "its threads go on")
            time.sleep(0.02)

    def tables(self):
        return [tuple(line.split(" ", 3)) for line in self.ask("tables")]

    def end(self):
        self.process.stdin.write("end\n")
        self.process.stdin.close()
        expect(self.process.wait(30) == 0, f"the victim ends well: {self.process.returncode}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def protections(pid, known=None):
    """What may be done with the pages of mapped files (`known`: of these only); neighbours with the same rights count as one."""
    files = known and {row[3] for row in known}
    out = []
    for line in open(f"/proc/{pid}/maps"):
        fields = line.split()
        if len(fields) < 6 or not fields[5].startswith("/") or (files and fields[5] not in files):
            continue
        begin, end = (int(x, 16) for x in fields[0].split("-"))
        if out and out[-1][1] == begin and out[-1][2:] == (fields[1], fields[5]):
            out[-1] = (out[-1][0], end, *out[-1][2:])
        else:
            out.append((begin, end, fields[1], fields[5]))
    return out


def code_of(pid, part):
    return [tuple(int(x, 16) for x in line.split()[0].split("-")) for line in open(f"/proc/{pid}/maps") if part in line]


def is_ours(pid, address):
    return any(begin <= address < end for begin, end in code_of(pid, "libmemwatch-attach"))


def compare_tables(pid, before, after, may_stay, may_be_bound=False):
    """Only modules that were there before; what memwatch loaded has tables of its own."""
    known = {row[1]: row for row in before}
    left = 0
    for module, where, value, name in after:
        if where not in known:
            continue
        if value == known[where][2]:
            continue
        if may_stay and SIZED.match(name) and is_ours(pid, int(value, 16)):
            left += 1
            continue
        expect(may_be_bound and not is_ours(pid, int(value, 16)), f"{module}: {name} at {where}: {known[where][2]} became {value}")
    expect(len(known) <= len(after), "no table is gone")
    return left


def live_by_function(options, pid):
    report = json.loads(memwatch(options, "show", "--by", "process", "--json", "--pid", pid, "--top", 0))
    out = {}
    for process in report["processes"]:
        for site in process["sites"]:
            words = json.dumps(site)
            for name in ("victim_leaks_here", "module_leaks_here", "plain_leaks_here"):
                if name in words:
                    bytes_, error = out.get(name, (0, 0))
                    out[name] = (bytes_ + site["live_bytes"], math.hypot(error, site["standard_error_bytes"]))
    return out


def attach(options, pid, *more):
    begun = time.monotonic()
    said = memwatch(options, "attach", "--pid", pid, *more)
    print(f"   {said.strip()} ({time.monotonic() - begun:.1f} s)")
    return said


def check_sampled(options, victim, allocator):
    believes = allocator in BELIEVES_SIZES
    before, rights = victim.tables(), protections(victim.pid)
    said = attach(options, victim.pid, "--interval", "16KiB")
    expect(f"allocator {allocator}" in said and "preset on" in said and "16.0 KiB" in said, said)
    patched = victim.tables()
    changed = {row[3] for row in patched if is_ours(victim.pid, int(row[2], 16))}
    expect({"malloc", "free", "realloc", "calloc", "_Znwm", "_ZdlPv"} <= changed, f"patched: {sorted(changed)}")
    expect(protections(victim.pid, rights) == rights, "pages are as they were")
    victim.is_going_on()
    time.sleep(1)
    victim.ask("load")
    victim.ask("call")
    live = live_by_function(options, victim.pid)
    expect(live.get("victim_leaks_here", (0, 0))[0] > 2e6, f"the leak is seen: {live}")
    # 2,000 x 20,000 bytes; R rises under this load, to 4 MiB: 10 samples at least in the mean. Odds against none: 5 x 10^-5, against
    # more than 6 standard errors: 10^-7 or so, since the error is estimated from the same samples.
    estimate, error = live.get("module_leaks_here", (0, 0))
    expect(error > 0 and abs(estimate - 4e7) < 6 * error, f"the module that came later is seen: {live}")
    victim.ask("unload")
    victim.ask("storm")
    for _ in range(5):
        victim.ask("fork")
    victim.is_going_on()

    memwatch(options, "detach", "--pid", victim.pid)
    left = compare_tables(victim.pid, before, victim.tables(), believes)
    expect(protections(victim.pid, rights) == rights, "pages are as they were")
    expect(believes == (left > 0), f"{left} slots stay over {allocator}")
    victim.is_going_on()
    memwatch(options, "detach", "--pid", victim.pid, expected=4)

    attach(options, victim.pid)
    expect(len([r for r in victim.tables() if is_ours(victim.pid, int(r[2], 16))]) > 20, "patched again")
    victim.ask("storm")
    victim.is_going_on()
    memwatch(options, "detach", "--pid", victim.pid)
    compare_tables(victim.pid, before, victim.tables(), believes)
    victim.is_going_on()
    victim.end()


def over(options, allocator):
    variables = {"LD_BIND_NOW": "1"}
    if allocator in LIBRARIES:
        variables["LD_PRELOAD"] = library_path(LIBRARIES[allocator])
    with Victim(options.victim, "3", options.module, **variables) as victim:
        check_sampled(options, victim, allocator)


def lazy(options):
    """Slots that are bound while or after we were there."""
    with Victim(options.victim, "3", options.module) as victim:
        before = victim.tables()
        attach(options, victim.pid, "--interval", "16KiB")
        victim.ask("load")
        victim.ask("call")
        time.sleep(2.5)
        memwatch(options, "detach", "--pid", victim.pid)
        compare_tables(victim.pid, before, victim.tables(), False, may_be_bound=True)
        expect(not any(is_ours(victim.pid, int(row[2], 16)) for row in victim.tables()), "nothing of ours is left")
        victim.is_going_on()
        victim.end()


def full(options):
    with Victim(options.victim, "3", options.module, LD_BIND_NOW="1") as victim:
        before = victim.tables()
        attach(options, victim.pid, "--preset", "full")
        victim.ask("load")
        victim.ask("call")
        live = live_by_function(options, victim.pid)
        expect(live.get("module_leaks_here", (0, 0))[0] == 2000 * 20_000, f"exact: {live}")
        victim.ask("storm")
        victim.ask("fork")
        memwatch(options, "control", "--pid", victim.pid, "set", "--preset", "on")
        memwatch(options, "control", "--pid", victim.pid, "set", "--preset", "full")
        memwatch(options, "detach", "--pid", victim.pid)
        compare_tables(victim.pid, before, victim.tables(), False)
        victim.is_going_on()
        victim.end()


def plain(options):
    """No C++ library, one thread, nearly always inside malloc."""
    with Victim(options.plain, "0") as victim:
        expect("libstdc++" not in open(f"/proc/{victim.pid}/maps").read(), "a program without libstdc++")
        attach(options, victim.pid, "--interval", "64KiB")
        until = time.monotonic() + 20
        while live_by_function(options, victim.pid).get("plain_leaks_here", (0, 0))[0] < 1e6:
            expect(time.monotonic() < until, "the leak is seen")
            time.sleep(0.2)
        memwatch(options, "detach", "--pid", victim.pid)
        expect(victim.process.poll() is None, "it goes on")


def redis(options):
    server = shutil.which("redis-server")
    benchmark = shutil.which("redis-benchmark")
    if not server or not benchmark:
        raise Skip("redis-server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    run = subprocess.Popen([server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                           stdout=subprocess.DEVNULL, env=clean_environment())
    load = None
    try:
        ping = lambda: subprocess.run(["redis-cli", "-p", port, "ping"], capture_output=True, text=True, timeout=20).stdout
        until = time.monotonic() + 20
        while "PONG" not in ping():
            expect(time.monotonic() < until, "redis starts")
        load = subprocess.Popen([benchmark, "-p", port, "-n", "5000000", "-c", "8", "-q", "-t", "set,lpush,lpop", "-r", "100000"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for preset in ("on", "full", "on"):
            attach(options, run.pid, "--preset", preset, "--interval", "16KiB")
            expect("PONG" in ping(), "redis answers while attached")
            time.sleep(1)
            shown = memwatch(options, "show", "--pid", run.pid)
            expect("zmalloc" in shown, shown)
            memwatch(options, "detach", "--pid", run.pid)
            expect("PONG" in ping(), "redis answers afterwards")
        expect(load.poll() is None, "the load never broke off")
        subprocess.run(["redis-cli", "-p", port, "flushall"], capture_output=True, timeout=60, check=True)
        expect("PONG" in ping() and run.poll() is None, "redis lives")
    finally:
        for process in (load, run):
            if process is not None:
                process.kill()
                process.wait()


@contextlib.contextmanager
def sleeper(*command, **how):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=clean_environment(**how.pop("variables", {})), **how)
    time.sleep(0.3)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def refused(options, pid, *parts, **how):
    said = memwatch(options, "attach", "--pid", pid, expected=4, **how)
    print("  ", said.strip())
    expect(all(part in said for part in parts), f"expected {parts}: {said}")
    expect(len(said.strip().splitlines()) == 1, f"one sentence: {said}")


def state(pid):
    return re.search(r"State:\t(\S)", open(f"/proc/{pid}/status").read()).group(1)


def refusals(options):
    refused(options, 4_194_000, "no such process")
    with sleeper("/bin/sleep", "100") as process:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        expect(libc.ptrace(PTRACE_SEIZE, process.pid, None, None) == 0, "ptrace")
        refused(options, process.pid, "traced already", str(os.getpid()))
        # It must be stopped to be let go of; the end of this block ends it anyway.
    with sleeper("/bin/sleep", "100") as process:
        refused(options, process.pid, "gdb", "apt-get install", env=clean_environment(PATH="/nowhere"))
        with tempfile.TemporaryDirectory() as folder:
            bogus = os.path.join(folder, "a 'quoted\" $(name);.so")
            with open(bogus, "w") as out:
                out.write("no library")
            refused(options, process.pid, "cannot be loaded", "file too short", env=clean_environment(MEMWATCH_ATTACH_LIBRARY=bogus))
        expect(state(process.pid) == "S", "it sleeps on")
        if os.geteuid() == 0:
            try:
                refused(options, process.pid, "another user", "as that user or as root", user=NOBODY, group=NOBODY, extra_groups=[])
            except PermissionError:
                print("   left out: another user may not read the build")
    with sleeper(options.static, "100") as process:
        refused(options, process.pid, "statically linked")
    with sleeper("/bin/sleep", "100", variables={"LD_PRELOAD": options.preload}) as process:
        refused(options, process.pid, "preloaded", "memwatch control")
    refuse_as_root(options)


def refuse_as_root(options):
    if os.geteuid() != 0:
        print("   left out: set-user-ID and mount namespaces need root")
        return
    folder = os.path.dirname(os.path.realpath(options.preload))
    with sleeper("unshare", "-m", "sh", "-c", f"mount -t tmpfs none '{folder}' && exec sleep 100") as process:
        time.sleep(0.5)
        if process.poll() is None:
            refused(options, process.pid, "another mount namespace")
        else:
            print("   left out: no mount namespace may be made here")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = os.path.join(folder, "sleep")
        shutil.copy("/bin/sleep", program)
        os.chown(program, 1, 1)
        os.chmod(program, 0o4755)
        with sleeper(program, "100") as process:
            if b"\x17" + bytes(7) + b"\x01" + bytes(7) in open(f"/proc/{process.pid}/auxv", "rb").read():
                refused(options, process.pid, "AT_SECURE")
            else:
                print("   left out: set-user-ID has no effect here")


def hang(options):
    """A library whose loading never ends: the thread is taken back, and the program goes on."""
    with Victim(options.victim, "3", options.module) as victim:
        refused(options, victim.pid, "taken back", env=clean_environment(MEMWATCH_ATTACH_LIBRARY=options.hang))
        victim.is_going_on()
        expect(state(victim.pid) in "RS", "it is not stopped")  # what it cannot do any more is load, or end by itself


def linked(options):
    """A program that links memwatch: one state, its own options stay, what was asked for is set, and its session outlives ours."""
    with sleeper(options.linked) as process:
        begun = time.monotonic()
        attach(options, process.pid)
        expect(time.monotonic() - begun < 8, "nothing waits for a timer of ours that was not needed")
        status = memwatch(options, "control", "--pid", process.pid)
        expect("door=attached" in status and "interval_bytes=32768" in status and "service=mine" in status, status)
        maps = open(f"/proc/{process.pid}/maps").read()
        expect(len(set(re.findall(r"\S*/libmemwatch\.so\S*", maps))) == 1, "one copy of memwatch")
        until = time.monotonic() + 20
        while "linked_leaks_here" not in memwatch(options, "show", "--pid", process.pid):
            expect(time.monotonic() < until, "its malloc is seen")
            time.sleep(0.2)
        memwatch(options, "attach", "--pid", process.pid, "--interval", "64KiB")
        expect("interval_bytes=65536" in memwatch(options, "control", "--pid", process.pid), "attaching again sets what is asked for")
        memwatch(options, "detach", "--pid", process.pid)
        expect("state=running" in memwatch(options, "control", "--pid", process.pid), "its own session goes on")


CASES = {"linked": linked, "lazy": lazy, "full": full, "plain": plain, "redis": redis, "refusals": refusals, "hang": hang}


def check_tracing(options):
    if not shutil.which("gdb"):
        raise Skip("gdb is not installed")
    with sleeper("/bin/sleep", "100") as process:
        done = subprocess.run(["gdb", "-nx", "-batch", "-p", str(process.pid)], capture_output=True, text=True, timeout=100)
        if "ptrace" in done.stderr:
            raise Skip("tracing is forbidden here: " + done.stderr.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=["glibc", *LIBRARIES, *CASES])
    for name in ("memwatch", "victim", "plain", "module", "hang", "static", "preload", "linked"):
        parser.add_argument("--" + name, required=True, type=os.path.realpath)
    options = parser.parse_args()
    try:
        check_tracing(options)
        if options.case in CASES:
            CASES[options.case](options)
        else:
            over(options, options.case)
    except Skip as reason:
        print("skipped:", reason)
        return 77
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
