# SPDX-License-Identifier: Apache-2.0
"""Recompiles the programs of this folder before and after edits, runs both under memwatch and counts how sites were matched.

    run_corpus.py --judge EXE --preload SO --work DIR [--short] [--options gcc-O2,clang-O3-lto] [--verbose]

A program is one .pair file: words, then `moved 1 2` (sites that must be proposed and not matched), then sources in which the first
column says `-` only before, `+` only after. Every source of the after version gets unrelated code above, too. The sites' sizes carry
the truth (judge.cpp). Same-option pairs must reach the limits; cross pairs (before with one set, after with another) are printed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
MOST_WRONG = 0.01
MOST_MISSED = 0.05

SITE_H = """#pragma once
#ifdef __cplusplus
#include <cstddef>
#include <new>
#define SITE(n) (static_cast<std::size_t>(200000 + 64 * (n)))
extern "C" void keep(const volatile void* block);
template <int N>
struct payload { char bytes[200000 + 64 * N]; };
#else
#include <stddef.h>
#define SITE(n) ((size_t)(200000 + 64 * (n)))
void keep(const volatile void* block);
#endif
"""
# On its own and never link-time optimized: nobody may know that blocks aren't used.
KEEP_C = "static const volatile void* volatile kept[64];\nvoid keep(const volatile void* block) {\n    static int n;\n" \
         "    kept[n++ % 64] = block;\n}\n"

ALL = [f"{compiler}-O{level}{lto}" for compiler in ("gcc", "clang") for lto in ("", "-lto") for level in range(4)]
SHORT = ["gcc-O0", "gcc-O2"]
CROSS = [("gcc-O0", "gcc-O2"), ("gcc-O1", "gcc-O2"), ("gcc-O2", "gcc-O3"), ("gcc-O2", "gcc-O2-lto"), ("clang-O0", "clang-O2"),
         ("clang-O2", "clang-O3"), ("clang-O2", "clang-O2-lto"), ("gcc-O2", "clang-O2"), ("gcc-O0", "clang-O0")]


class Program:
    def __init__(self, path: Path):
        self.name = path.stem
        self.moved = "-"
        self.sources = {}  # name -> [(mark, text)]
        current = None
        for line in path.read_text().splitlines():
            if line.startswith("=== "):
                current = self.sources.setdefault(line[4:].strip(), [])
            elif current is not None:
                current.append((line[:1] or " ", line[1:]))
            elif line.startswith("moved "):
                self.moved = ",".join(line.split()[1:])

    def text(self, source: str, version: str) -> str:
        hidden = "+" if version == "before" else "-"
        lines = [text for mark, text in self.sources[source] if mark != hidden]
        if version == "after":  # unrelated code above
            name = re.sub(r"\W", "_", f"{self.name}_{source}")
            lines[:0] = ["/* Added in this version. */"] * (3 + len(name) % 9) + [
                f"int unrelated_{name}(int n);", f"int unrelated_{name}(int n) {{", "    int sum = 0;",
                "    for (int i = 0; i < n; ++i) { sum += i; }", "    return sum;", "}", ""]
        return "\n".join(lines) + "\n"


def flags_of(options: str) -> list:
    compiler, level, *lto = options.split("-")
    flags = ["-g", f"-{level}", "-Wl,--build-id=sha1", "-pthread", "-w"]
    if lto:
        flags += ["-flto"] + (["-fuse-ld=lld"] if compiler == "clang" else [])
    return flags


def driver_of(options: str, is_c: bool) -> str:
    return {("gcc", True): "gcc", ("gcc", False): "g++", ("clang", True): "clang", ("clang", False): "clang++"}[
        options.split("-")[0], is_c]


class Corpus:
    def __init__(self, settings):
        self.settings = settings
        self.work = Path(settings.work)
        self.programs = [Program(path) for path in sorted((HERE / "programs").glob("*.pair"))]
        self.work.mkdir(parents=True, exist_ok=True)
        (self.work / "site.h").write_text(SITE_H)
        (self.work / "keep.c").write_text(KEEP_C)
        subprocess.run(["gcc", "-O1", "-c", str(self.work / "keep.c"), "-o", str(self.work / "keep.o")], check=True)

    def dump_of(self, program: Program, options: str, version: str) -> Path:
        return self.work / options / program.name / version / "dump.memtrace"

    def make(self, job) -> None:
        program, options, version = job
        folder = self.dump_of(program, options, version).parent
        if self.settings.keep and (folder / "dump.memtrace").exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for source in program.sources:
            (folder / source).write_text(program.text(source, version))
        is_c = all(source.endswith(".c") for source in program.sources)
        command = [driver_of(options, is_c), *([] if is_c else ["-std=c++20"]), *flags_of(options), f"-I{self.work}",
                   *(str(folder / source) for source in program.sources), str(self.work / "keep.o"), "-o", str(folder / "program")]
        subprocess.run(command, check=True, timeout=120)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MEMWATCH_", "LD_PRELOAD"))}
        with tempfile.TemporaryDirectory(dir=folder) as dumps:
            clean.update(LD_PRELOAD=self.settings.preload, MEMWATCH_PRESET="full", MEMWATCH_DUMP_DIR=dumps)
            ran = subprocess.run([str(folder / "program")], env=clean, timeout=60)
            found = list(Path(dumps).iterdir())
            if ran.returncode != 0 or len(found) != 1:
                raise RuntimeError(f"{folder}: status {ran.returncode}, dumps {found}")
            found[0].rename(folder / "dump.memtrace")

    def make_all(self, sets: list) -> None:
        jobs = [(p, options, version) for options in sets for p in self.programs for version in ("before", "after")]
        with ThreadPoolExecutor(self.settings.jobs) as pool:
            list(pool.map(self.make, jobs))

    def judge(self, before: str, after: str) -> dict:
        lines = [f"{self.dump_of(p, before, 'before')} {self.dump_of(p, after, 'after')} {p.moved}" for p in self.programs]
        output = subprocess.run([self.settings.judge], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
        verdicts = [json.loads(line) for line in output.stdout.splitlines()]
        assert len(verdicts) == len(self.programs), output.stderr
        total = {key: 0 for key in ("sites", "moves", "exact", "frames", "function", "wrong", "missed", "proposed", "wrongly_proposed")}
        for program, verdict in zip(self.programs, verdicts):
            for key, value in verdict.items():
                total[key] += len(value) if isinstance(value, list) else value
            if self.settings.verbose and (verdict["wrong"] or verdict["missed"]):
                print(f"  {before} -> {after} {program.name}: wrong {verdict['wrong']}, missed {verdict['missed']}")
        return total


def check_command(memwatch: str, corpus: Corpus, options: str) -> None:
    """What a user sees of a rebuilt program: the rung of each row in every format, and the renamed function as a proposal."""
    program = next(p for p in corpus.programs if p.name == "renamed")
    pair = [str(corpus.dump_of(program, options, version)) for version in ("before", "after")]
    # The source folders differ, so that nothing but the ladder can know the sites; unchanged rows are what it matched.
    formats = {f: subprocess.run([memwatch, "diff", *pair, "--all", "--format", f], capture_output=True, text=True, check=True).stdout
               for f in ("text", "md", "json")}
    found = json.loads(formats["json"])
    rungs = {row["name"]: row["matched_by"] for row in found["rows"]}
    assert rungs["orders::erase"] == "frames" and rungs["orders::insert"] == rungs["orders::put"] == "none", rungs
    assert len(found["moves"]) == 1 and "orders::handle" in found["moves"][0]["why"], found["moves"]
    assert "by frames" in formats["text"] and "moved?" in formats["text"] and "orders::insert -> #" in formats["text"], formats["text"]
    assert "| frames |" in formats["md"] and "Perhaps moved" in formats["md"], formats["md"]
    same = subprocess.run([memwatch, "diff", pair[0], pair[0]], capture_output=True, text=True, check=True).stdout
    assert "same fingerprint" in same, same
    print("memwatch diff names the rungs, proposes the renamed function and knows an equal fingerprint")


HEAD = f"{'before':14} {'after':14} {'sites':>5} {'exact':>6} {'frames':>6} {'function':>8} {'wrong':>6} {'missed':>7} {'proposed':>8} {'of':>3}"


def row(before: str, after: str, t: dict) -> str:
    return (f"{before:14} {after:14} {t['sites'] + t['moves']:5} {t['exact']:6} {t['frames']:6} {t['function']:8} {t['wrong']:6} "
            f"{t['missed']:7} {t['proposed']:8} {t['moves']:3}")


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("judge", "preload", "work"):
        parser.add_argument(f"--{name}", required=True, type=lambda p: str(Path(p).absolute()))
    parser.add_argument("--memwatch", help="also check what the command says")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--options")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="use the dumps that an earlier run left in DIR")
    parser.add_argument("--verbose", action="store_true")
    settings = parser.parse_args()
    sets = settings.options.split(",") if settings.options else SHORT if settings.short else ALL
    missing = {s.split("-")[0] for s in sets if shutil.which(driver_of(s, False)) is None}
    if missing:
        print(f"without {', '.join(sorted(missing))}: not installed")
        sets = [s for s in sets if s.split("-")[0] not in missing]
    corpus = Corpus(settings)
    corpus.make_all(sets)
    print(f"{len(corpus.programs)} programs, recompiled after edits; 'of': sites that must be proposed and not matched")
    print(HEAD)
    sums = {}
    for options in sets:
        total = corpus.judge(options, options)
        print(row(options, options, total), flush=True)
        sums = {key: sums.get(key, 0) + value for key, value in total.items()}
    if settings.memwatch:
        check_command(settings.memwatch, corpus, sets[0])
    print(row("all of these", "", sums))
    for before, after in CROSS:
        if before in sets and after in sets:
            print(row(before, after, corpus.judge(before, after)), flush=True)
    known = sums["sites"] + sums["moves"]
    wrong, missed = sums["wrong"] / known, sums["missed"] / known
    print(f"same options: wrong {wrong:.2%} (limit {MOST_WRONG:.0%}), missed {missed:.2%} (limit {MOST_MISSED:.0%})")
    return 0 if len(corpus.programs) >= 30 and wrong <= MOST_WRONG and missed <= MOST_MISSED else 1


if __name__ == "__main__":
    sys.exit(main())
