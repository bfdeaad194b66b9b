# SPDX-License-Identifier: Apache-2.0
"""The black box after real ends of real processes: readable each time, not older than a second, and the host never noticed.

    test_blackbox.py MEMWATCH VICTIM [--kills N] [WHAT...]

WHAT: kill (SIGKILL at N random instants, 30 unless said), truncate, no_space, restart, in_order, prefork, oom; all unless said.
What needs root or a memory cgroup says so and is skipped where there is none. Seed: MEMWATCH_TEST_SEED.
"""

import glob
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

MEMWATCH, VICTIM = map(os.path.abspath, sys.argv[1:3])
ARGUMENTS = sys.argv[3:]
SEED = int(os.environ.get("MEMWATCH_TEST_SEED", "20261122"))
AT_ONCE = 15
MIB = 1 << 20


def environment(folder, **more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_")}
    return {**kept, "MEMWATCH_STATE_DIR": folder, "MEMWATCH_HISTORY": "0", **more}


def start(folder, *mode, before_exec=None, **more):
    return subprocess.Popen([VICTIM, *mode], env=environment(folder, **more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=before_exec)


def boxes(folder):
    return sorted(glob.glob(os.path.join(folder, "*.blackbox")))


def wait_for(condition, what, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError(f"{what}: not within {seconds} s")


def has_record(folder):
    # Sectors begin at 4096; the first of the seconds' lane is written with the first turn.
    for path in boxes(folder):
        done = subprocess.run([MEMWATCH, "blackbox", "show", path, "--json", "--no-symbols"], capture_output=True, text=True, check=False)
        if done.returncode == 0 and json.loads(done.stdout)["curve"]:
            return True
    return False


def show(path, *more):
    done = subprocess.run([MEMWATCH, "blackbox", "show", path, "--json", "--no-symbols", *more], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, f"{path}: exit {done.returncode}: {done.stderr}"
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


def is_starved():
    return os.getloadavg()[0] > 2 * (os.cpu_count() or 1)


def end_of(process):
    """The end of a victim, with what it said."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_kill(folder, kills):
    """SIGKILL at random instants: each file is read, its last record is at most a second old."""
    dice = random.Random(SEED)
    ages, records = [], 0
    for first in range(0, kills, AT_ONCE):
        victims = []
        for i in range(first, min(first + AT_ONCE, kills)):
            own = os.path.join(folder, str(i))
            victims.append((own, start(own, "work"), dice.uniform(0, 3)))
        for own, _, _ in victims:
            wait_for(lambda own=own: boxes(own), "a file")
        began = time.monotonic()
        for own, process, instant in sorted(victims, key=lambda v: v[2]):
            time.sleep(max(0, began + instant - time.monotonic()))
            process.kill()
            killed_ns = time.time_ns()
            process.communicate(timeout=60)
            paths = boxes(own)
            assert len(paths) == 1, paths
            told = show(paths[0])
            assert told["end"] == "without_a_word", told["end"]
            assert told["process"]["pid"] == process.pid
            assert told["damaged_sectors"] <= 1 and told["incomplete_records"] <= 1, told
            if told["records"]:
                ages.append((killed_ns - told["last_unix_ns"]) / 1e9)
                records += told["records"]
            else:
                assert instant < 1 or is_starved(), f"nothing after {instant} s"
            os.remove(paths[0])
    late = [age for age in ages if age > 1]
    print(f"kill: {kills} kills, seed {SEED}, {kills} files read, {records} records; age of the last: median "
          f"{statistics.median(ages):.3f} s, most {max(ages):.3f} s, {len(late)} above 1 s; load {os.getloadavg()[0]:.1f}")
    if late and is_starved():
        print(f"skipped: {len(late)} of {kills} records are late on a machine that has more to do than CPUs for it")
    else:
        assert not late, late


def test_truncate(folder, _):
    """Cut short and removed under the writer: no signal, and the file is whole again."""
    process = start(folder, "end")
    wait_for(lambda: boxes(folder), "a file")
    dice = random.Random(SEED)
    while process.poll() is None:
        for path in boxes(folder):
            try:
                os.truncate(path, dice.choice([0, 100, 4096, 5000, 70000]))
            except FileNotFoundError:
                pass
        time.sleep(0.02)
    status, _, err = end_of(process)
    assert status == 0, (status, err)
    for path in boxes(folder):
        os.truncate(path, 70000)  # heads are at its beginning: mended at the latest by the last turn
    print("truncate: the host ended in order")


def test_no_space(folder, _):
    """A full disk: the file is refused, or had its space before; the host lives on either way."""
    if os.geteuid() != 0:
        print("skipped: no_space: only root mounts a small file system")
        return
    os.makedirs(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "memwatch-test", folder], check=False, capture_output=True).returncode != 0:
        print("skipped: no_space: this machine mounts no tmpfs")
        return
    try:
        state = os.path.join(folder, "state")
        status, _, err = end_of(start(state, "end"))
        assert status == 0, (status, err)
        assert "event=black_box" in err and "No space left" in err, err
        assert not boxes(state)

        subprocess.run(["mount", "-o", "remount,size=6m", folder], check=True)
        process = start(state, "end")
        wait_for(lambda: boxes(state), "a file")
        with open(os.path.join(folder, "filler"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError:
                pass
        status, _, err = end_of(process)
        assert status == 0 and "event=black_box" not in err, (status, err)
        told = show(boxes(state)[0])
        assert told["end"] == "in_order" and len(told["curve"]) >= 2, told
        print("no_space: refused where there was none, written on where it was taken in time")
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def test_restart(folder, _):
    """The life before is what a folder shows, also while the next one writes; not all lives are kept."""
    first = start(folder, "work")
    wait_for(lambda: has_record(folder), "a record")
    first.kill()
    end_of(first)
    second = start(folder, "work")
    try:
        wait_for(lambda: len(boxes(folder)) == 2, "a second file")
        told = show(folder)
        assert told["process"]["pid"] == first.pid and told["end"] == "without_a_word", told
        listed = json.loads(subprocess.run([MEMWATCH, "blackbox", "list", folder, "--json"], capture_output=True, text=True, check=True).stdout)
        ends = [row["end"] for row in listed["files"]]
        assert ends == ["running", "without_a_word"], ends
        helper = f"{VICTIM}-helper-{os.getpid()}"  # beside it, where its libraries are found
        shutil.copy(VICTIM, helper)
        try:
            subprocess.run([helper, "end"], env=environment(folder), check=True, capture_output=True)
        finally:
            os.remove(helper)
        assert len(boxes(folder)) == 3, boxes(folder)
        # The service writes on: soon more than a helper that lived for a second and a half.
        wait_for(lambda: show(folder)["process"]["pid"] == first.pid, "the service's, though a helper's is newer")
    finally:
        second.kill()
        end_of(second)
    dump = os.path.join(folder, "last.memtrace")
    subprocess.run([MEMWATCH, "blackbox", "extract", folder, "-o", dump], check=True, capture_output=True)
    shown = subprocess.run([MEMWATCH, "show", dump, "--by", "tag", "--json"], check=True, capture_output=True, text=True).stdout
    assert json.loads(shown)["rows"], shown
    print("restart: the life before is shown while the next one writes")


def test_in_order(folder, _):
    """Who ends in order says so; what was alive and for whom is there."""
    status, _, err = end_of(start(folder, "end"))
    assert status == 0, err
    told = show(folder)
    assert told["end"] == "in_order", told["end"]
    assert "order-cache" in told["curve"][-1]["tags"], told["curve"][-1]
    sites = told["situation"]["sites"]["rows"]
    assert any(row["tag"] == "order-cache" for row in sites), sites
    requests = told["situation"]["requests"]
    assert requests and {r["route"] for r in requests} <= {"/api/v2/orders", "/health"}, requests
    assert all(len(r["trace"]) == 32 for r in requests)
    cache = [row for row in sites if row["tag"] == "order-cache"]
    assert any(row["route"] in ("/api/v2/orders", "/health") and row["trace_ids"] for row in cache), cache
    assert all(row["oldest_age_ns"] is None for row in sites), "the few blocks that are named are the youngest"
    text = subprocess.run([MEMWATCH, "blackbox", "show", folder, "--no-symbols"], capture_output=True, text=True, check=True).stdout
    titles = next(line for line in text.splitlines() if line.startswith("function"))
    assert "route" in titles and "oldest" not in titles, titles
    print(f"in_order: {told['records']} records, {len(requests)} requests")


def test_prefork(folder, _):
    """A forked child has a file of its own, and leaves its parent's alone."""
    status, out, err = end_of(start(folder, "prefork", "3"))
    assert status == 0, err
    told = [show(path) for path in boxes(folder)]
    pids = {each["process"]["pid"] for each in told}
    assert len(told) == 4 and len(pids) == 4 and int(out.split()[1]) in pids, pids
    assert all(each["end"] == "in_order" for each in told), [each["end"] for each in told]
    assert all(each["damaged_sectors"] == 0 for each in told)
    print("prefork: four processes, four files")


def memory_group():
    """(folder of a new memory group, the file that limits it, how), or none."""
    name = f"memwatch-blackbox-{os.getpid()}"
    for root, limit, how in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "v1"), ("/sys/fs/cgroup", "memory.max", "v2")):
        folder = os.path.join(root, name)
        try:
            os.mkdir(folder)
        except OSError:
            continue
        if os.path.exists(os.path.join(folder, limit)):
            return folder, limit, how
        os.rmdir(folder)
    return None


def test_oom(folder, _):
    """The real thing: the kernel's OOM killer in a memory group, where the machine has one; else an address space that ends."""
    group = memory_group()
    if group is None:
        print("skipped: oom in a group: no memory cgroup can be made here; RLIMIT_AS in its place")
        process = start(folder, "grow", "60", before_exec=lambda: resource.setrlimit(resource.RLIMIT_AS, (400 * MIB, 400 * MIB)))
        status, _, _ = end_of(process)
        assert status == -signal.SIGABRT, status
        told = show(folder)
        assert told["end"] == "without_a_word", told
        print(f"oom: address space at the end {told['curve'][-1]['address_space_bytes'] / MIB:.0f} of 400 MiB")
        return
    path, limit, how = group
    try:
        with open(os.path.join(path, limit), "w", encoding="ascii") as file:
            file.write(str(160 * MIB))

        def enter():
            with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write(str(os.getpid()))

        process = start(folder, "grow", "35", before_exec=enter)
        status, _, err = end_of(process)
        killed_ns = time.time_ns()
        assert status == -signal.SIGKILL, (status, err)
        told = show(folder)
        last = told["curve"][-1]
        share = last["cgroup_unreclaimable_bytes"] / last["cgroup_limit_bytes"]
        gaps = [(b["unix_ns"] - a["unix_ns"]) / 1e9 for a, b in zip(told["curve"], told["curve"][1:])]
        print(f"oom: {how}, killed by the kernel at {share:.1%} of {last['cgroup_limit_bytes'] / MIB:.0f} MiB, last record "
              f"{(killed_ns - told['last_unix_ns']) / 1e9:.2f} s before we knew; the last gaps {[round(g, 2) for g in gaps[-4:]]} s; "
              f"pressure {last['pressure']}, time to OOM {last.get('time_to_oom_seconds')}")
        assert told["end"] == "without_a_word", told["end"]
        assert share > 0.8, last
        assert any(e["event"] == "pressure" for e in told["events"]), told["events"]
        assert told["situation"], "what was alive is not known"
    finally:
        for _ in range(100):
            try:
                os.rmdir(path)
                break
            except OSError:
                time.sleep(0.05)


TESTS = {"kill": test_kill, "truncate": test_truncate, "no_space": test_no_space, "restart": test_restart,
         "in_order": test_in_order, "prefork": test_prefork, "oom": test_oom}


def main():
    arguments = list(ARGUMENTS)
    kills = 30
    if "--kills" in arguments:
        at = arguments.index("--kills")
        kills = int(arguments[at + 1])
        del arguments[at:at + 2]
    for name in arguments or TESTS:
        with tempfile.TemporaryDirectory(prefix="memwatch-blackbox-") as folder:
            TESTS[name](os.path.join(folder, "state"), kills)
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
