#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What naming 10 k sites of a large debug binary takes, without and with the symbol cache.

    symbols_bench.py MEMWATCH [--folder DIR] [--mib 200] [--compiler c++]

Makes the program once in DIR (default: a folder in $TMPDIR, removed at the end): template-heavy units with full debug information, one
compiled and then copied under other symbol prefixes, until it is as large as wanted. Then a dump of 10 k sites, each with a stack of
12 return addresses from all over the program, and `memwatch show` of it: the first time (cold), and five more (warm). Budget
(issue 5): 10 k sites of a 200 MB debug binary in less than 5 s with the cache. Exits 1 beyond, 77 where it cannot run.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SITES, DEPTH, UNITS = 10_000, 12, 4

UNIT = """
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>
namespace UNIT_NAME {
template <int N> struct item { std::string name; double value[N % 7 + 1]; int key; bool operator<(const item& o) const { return name < o.name; } };
template <int N> struct store {
    std::map<std::string, item<N>> by_name; std::unordered_map<int, std::vector<item<N>>> by_key; std::vector<std::function<int(const item<N>&)>> rules;
    __attribute__((noinline)) void add(item<N> i) { by_key[i.key].push_back(i); by_name.emplace(i.name, std::move(i)); }
    __attribute__((noinline)) int judge() { int sum = 0; for (auto& [k, v] : by_key) { std::sort(v.begin(), v.end()); for (auto& i : v) for (auto& r : rules) sum += r(i); } return sum; }
    __attribute__((noinline)) std::variant<int, std::string, item<N>> find(const std::string& n) { auto at = by_name.find(n); if (at == by_name.end()) return N; return at->second; }
};
template <int N> __attribute__((noinline)) int work(int seed) {
    store<N> s; s.rules.push_back([seed](const item<N>& i) { return i.key * seed; });
    for (int i = 0; i < seed; ++i) s.add({std::to_string(i), {}, i % 10});
    return s.judge() + static_cast<int>(s.find("7").index()) + (N > 0 ? work<(N > 0 ? N - 1 : 0)>(seed - 1) : 0);
}
template <> int work<0>(int) { return 0; }
}
int UNIT_NAME_entry(int n) { return UNIT_NAME::work<INSTANCES>(n); }
"""


def make_program(folder: Path, mib: int, compiler: str) -> Path:
    program = folder / f"large-{mib}"
    if program.exists() and program.stat().st_size >= mib << 20:
        return program
    objects = []
    for unit in range(UNITS):
        source, target = folder / f"unit{unit}.cpp", folder / f"unit{unit}.o"
        source.write_text(UNIT.replace("UNIT_NAME", f"unit{unit}").replace("INSTANCES", "60"))
        if not target.exists():
            subprocess.run([compiler, "-std=c++20", "-g", "-O1", "-ftemplate-depth=2000", "-c", source, "-o", target], check=True)
        objects.append(target)
    one = sum(o.stat().st_size for o in objects)
    main = folder / "main.o"
    subprocess.run([compiler, "-x", "c++", "-c", "-", "-o", main], input=b"int main() {}", check=True)
    copies = list(objects)
    for copy in range(1, 4 * (mib << 20) // one + 1):
        for o in objects:  # other symbols, the same debug information: nothing is folded
            target = folder / f"copy{copy}-{o.name}"
            subprocess.run(["objcopy", f"--prefix-symbols=copy{copy}_", o, target], check=True)
            copies.append(target)
        command = [compiler, "-no-pie", "-Wl,--build-id=sha1", "-Wl,--unresolved-symbols=ignore-all", "-Wl,-z,muldefs", "-o", program, main, *copies]
        if one * copy > 0.8 * (mib << 20):
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            if program.stat().st_size >= mib << 20:
                break
    for target in folder.glob("copy*.o"):
        target.unlink()
    return program


def code_of(program: Path) -> list:
    """Starts and sizes of functions, in addresses that are file offsets + the segment's difference."""
    out = subprocess.run(["nm", "-S", "--defined-only", program], check=True, capture_output=True, text=True).stdout
    functions = []
    for line in out.splitlines():
        words = line.split()
        if len(words) == 4 and words[2] in "tTwW" and int(words[1], 16) > 16:
            functions.append((int(words[0], 16), int(words[1], 16)))
    return functions


def segment_of(program: Path):
    out = subprocess.run(["readelf", "-lW", program], check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        words = line.split()
        if words and words[0] == "LOAD" and "E" in line[60:]:
            return int(words[1], 16), int(words[2], 16)
    raise SystemExit("no executable segment")


def build_id_of(program: Path) -> str:
    out = subprocess.run(["readelf", "-n", program], check=True, capture_output=True, text=True).stdout
    return out.split("Build ID:")[1].split()[0]


def make_dump(program: Path, path: Path) -> int:
    random.seed(20261122)
    file_offset, address = segment_of(program)
    functions = code_of(program)
    frames, stacks, sites = [], [], []
    numbers = {}
    for site in range(SITES):
        stack = []
        for _ in range(DEPTH):
            start, size = functions[int(len(functions) * random.random() ** 2)]  # some are called from everywhere
            offset = start + 1 + random.randrange(size - 1) // 64 * 64 - address + file_offset
            if offset not in numbers:
                numbers[offset] = len(frames)
                frames.append({"module": 0, "offset": offset})
            stack.append(numbers[offset])
        stacks.append({"frames": stack})
        live = {"bytes": 1000.0 + site, "objects": 1.0, "samples": 1}
        sites.append({"stack": site, "tag": 0, "live": live, "allocated": live})
    json.dump({"format": "memwatch-snapshot", "version": 1, "info": {"service": "large", "executable": str(program)},
               "modules": [{"path": str(program), "build_id": build_id_of(program), "start": address, "limit": address + (1 << 30), "file_offset": file_offset}],
               "frames": frames, "stacks": stacks, "tags": [{"name": "untagged"}], "routes": [""], "threads": [{"name": "other"}], "sites": sites,
               "live": []}, path.open("w"))
    return len(frames)


def run(command, environment):
    start = time.monotonic()
    before = os.times()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = process.communicate()
    after = os.times()
    if process.returncode != 0:
        raise SystemExit(f"{command}: {process.returncode}\n{errors.decode()}")
    return time.monotonic() - start, after.children_user + after.children_system - before.children_user - before.children_system, out.decode()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("memwatch", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--mib", type=int, default=200)
    parser.add_argument("--compiler", default="c++")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="symbols_bench."))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if shutil.disk_usage(folder).free < 12 * arguments.mib << 20:
            print(f"not run: less than {12 * arguments.mib} MiB are free in {folder}")
            return 77
        program = make_program(folder, arguments.mib, arguments.compiler)
        dump = folder / "large.json"
        frames = make_dump(program, dump)
        print(f"program {program.stat().st_size / 2**20:.0f} MiB, {SITES} sites, {frames} frames")
        with tempfile.TemporaryDirectory(prefix="symbols_bench_cache.") as cache:
            environment = {**os.environ, "XDG_CACHE_HOME": cache}
            show = [arguments.memwatch, "show", "--top", "10", dump]
            read = run([*show, "--no-symbols"], environment)
            cold = run(show, environment)
            warm = [run(show, environment) for _ in range(5)]
            kept = sum(f.stat().st_size for f in Path(cache).rglob("*") if f.is_file())
        for name, (wall, cpu, _) in [("reading the dump alone", read), ("cold", cold), ("warm, best", min(warm)), ("warm, worst", max(warm))]:
            print(f"{name:24} {wall:6.2f} s wall  {cpu:6.2f} s CPU")
        print(f"the cache is {kept / 2**20:.1f} MiB")
        if any(out != cold[2] for _, _, out in warm):
            print("the cache changed the answer")
            return 1
        return 0 if max(warm)[0] < 5 else 1
    finally:
        if not arguments.folder:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
