#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other tools open what memwatch writes, and memwatch opens what other profilers write: with the real ones, and to their own sums.

    test_formats.py MEMWATCH VICTIM MAKE_DUMPS BUILD_FOLDER [unittest arguments]

What is not installed is skipped, with the reason. speedscope comes from npm into BUILD_FOLDER, by the lock file in consumers/.
"""

import csv
import glob
import gzip
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

MEMWATCH, VICTIM, MAKE_DUMPS, BUILD = map(os.path.abspath, sys.argv[1:5])
HERE = os.path.dirname(os.path.abspath(__file__))
DH_VIEW = "/usr/libexec/valgrind/dh_view.js"
FINE, USAGE, UNREADABLE = 0, 2, 3
LIMIT_SECONDS = 240
BLOCK, FEWER, MORE = 2048, 1000, 3000


def run(*command, check=True, cwd=None, **environment):
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=check, cwd=cwd, env={**os.environ, **environment})


def memwatch(*arguments):
    return run(MEMWATCH, *arguments, check=False)


def live_bytes(path):
    """What memwatch says is alive in a file, site by site."""
    shown = json.loads(run(MEMWATCH, "show", path, "--by", "site", "--top", "0", "--json").stdout)
    return {row["function"]: row["live_bytes"]["estimate"] for row in reversed(shown["rows"])}, \
        sum(row["live_bytes"]["estimate"] for row in shown["rows"])


def needs(*programs):
    missing = [each for each in programs if shutil.which(each) is None and not os.path.exists(each)]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


def library(name):
    found = glob.glob(f"/usr/lib/*/{name}") + glob.glob(f"/usr/lib/{name}")
    return found[0] if found else None


class Service(http.server.BaseHTTPRequestHandler):
    """Plays a service that answers with a profile."""
    body, targets = b"", []

    def do_GET(self):
        Service.targets.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(Service.body)))
        self.end_headers()
        self.wfile.write(Service.body)

    def log_message(self, *arguments):
        pass


class FormatsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="memwatch-formats-")
        cls.addClassCleanup(folder.cleanup)
        cls.dir = folder.name
        cls.program = cls.path("victim")
        shutil.copy(VICTIM, cls.program)  # older than every profile of it, whatever the build does

    @classmethod
    def path(cls, name):
        return os.path.join(cls.dir, name)

    def assert_diff_names_keep(self, before, after, more=(MORE - FEWER) * BLOCK, within=0.0):
        diff = json.loads(run(MEMWATCH, "diff", before, after, "--json").stdout)
        row = diff["rows"][0]
        self.assertEqual(row["name"].replace("main.", "orders::"), "orders::keep", diff["rows"][:3])
        self.assertAlmostEqual(row["bytes"], more, delta=within * more)
        return row


class In(FormatsTest):
    def heaptrack(self, kept, *options, suffix=".zst"):
        target = self.path(f"heaptrack.{kept}{''.join(options)}")
        run("heaptrack", *options, "-o", target, self.program, str(kept))
        return target + suffix

    @needs("heaptrack", "heaptrack_print")
    def test_heaptrack(self):
        before, after = self.heaptrack(FEWER), self.heaptrack(MORE)
        folded = self.path("leaked.folded")
        run("heaptrack_print", after, "--disable-builtin-suppressions", "-F", folded, "--flamegraph-cost-type", "leaked")
        with open(folded, encoding="utf-8") as file:
            theirs = sum(int(line.rsplit(" ", 1)[1]) for line in file)
        sites, ours = live_bytes(after)
        self.assertEqual(ours, theirs)
        self.assertEqual(sites["orders::keep"], MORE * BLOCK)
        printed = run("heaptrack_print", after).stdout
        calls = int(re.search(r"calls to allocation functions: (\d+)", printed)[1])
        shown = json.loads(run(MEMWATCH, "export", after, "--format", "json").stdout)
        self.assertEqual(sum(tag["allocations"] for tag in shown["tags"]), calls)
        row = self.assert_diff_names_keep(before, after)
        self.assertEqual(row["bytes_standard_error"], 0)
        keys = [self.site_keys(each)["orders::keep"] for each in (before, after)]
        self.assertEqual(keys[0], keys[1])  # two runs at other addresses

    @needs("heaptrack")
    def test_reports_work_on_recordings_of_heaptrack(self):
        done = memwatch("report", self.heaptrack(FEWER), self.heaptrack(MORE), "-o", self.path("report"))
        self.assertEqual(done.returncode, FINE, done.stderr)
        with open(os.path.join(self.path("report"), "report.json"), encoding="utf-8") as file:
            finding = json.load(file)["findings"][0]
        self.assertIn("orders::keep", finding["function"])

    @staticmethod
    def site_keys(path):
        shown = json.loads(run(MEMWATCH, "show", path, "--by", "site", "--top", "0", "--json").stdout)
        return {row["function"]: row["site"] for row in reversed(shown["rows"])}

    @needs("heaptrack")
    def test_heaptrack_raw_is_refused_with_the_remedy(self):
        refused = memwatch("show", self.heaptrack(10, "--raw", suffix=".raw.zst"))
        self.assertEqual(refused.returncode, UNREADABLE)
        self.assertIn("heaptrack --interpret", refused.stderr)

    def jemalloc(self, kept, sample):
        prefix = self.path(f"jemalloc.{kept}.{sample}")
        run(self.program, str(kept), LD_PRELOAD=library("libjemalloc.so.2"),
            MALLOC_CONF=f"prof:true,prof_final:true,prof_accum:true,lg_prof_sample:{sample},prof_prefix:{prefix}")
        return glob.glob(prefix + ".*.heap")[0]

    def jeprof(self, profile, *options):
        printed = run("jeprof", "--text", "--show_bytes", *options, self.program, profile).stdout
        return int(re.search(r"^Total: (\d+) B", printed, re.MULTILINE)[1])

    @needs("jeprof", library("libjemalloc.so.2") or "libjemalloc.so.2")
    def test_jemalloc(self):
        for sample, within in ((0, 0.001), (12, 1e-5)):  # jeprof scales samples of interval 1 by 1/(1 - exp(-S)), which are exact
            before, after = self.jemalloc(FEWER, sample), self.jemalloc(MORE, sample)
            sites, ours = live_bytes(after)
            theirs = self.jeprof(after)
            self.assertAlmostEqual(ours, theirs, delta=within * theirs + len(sites))
            exported = json.loads(run(MEMWATCH, "export", after, "--format", "json").stdout)
            allocated = sum(site["allocated"]["bytes"] for site in exported["sites"])
            self.assertAlmostEqual(allocated, self.jeprof(after, "--alloc_space"), delta=0.01 * allocated)
            row = self.assert_diff_names_keep(before, after, within=0.0 if sample == 0 else 0.25)
            self.assertEqual(row["bytes_standard_error"] > 0, sample != 0)

    @needs("jeprof", library("libtcmalloc.so.4") or "libtcmalloc.so.4")
    def test_gperftools(self):
        profiles = []
        for kept in (FEWER, MORE):
            prefix = self.path(f"gperftools.{kept}")
            run(self.program, str(kept), LD_PRELOAD=library("libtcmalloc.so.4"), HEAPPROFILE=prefix)
            profiles.append(glob.glob(prefix + ".*.heap")[-1])
        self.assertEqual(live_bytes(profiles[1])[1], self.jeprof(profiles[1]))
        self.assert_diff_names_keep(*profiles)

    @needs("go", library("libtcmalloc.so.4") or "libtcmalloc.so.4")
    def test_pprof_reads_gperftools_files_as_memwatch_does(self):
        prefix = self.path("both")
        run(self.program, "100", LD_PRELOAD=library("libtcmalloc.so.4"), HEAPPROFILE=prefix)
        profile, converted = glob.glob(prefix + ".*.heap")[-1], self.path("both.pb.gz")
        run("go", "tool", "pprof", "-proto", "-symbolize=none", "-output", converted, self.program, profile, PPROF_TMPDIR=self.dir)
        diff = json.loads(run(MEMWATCH, "diff", profile, converted, "--no-symbols", "--json").stdout)
        self.assertEqual(diff["rows"], [])
        self.assertEqual(diff["total"]["before"]["bytes"], self.jeprof(profile))

    def go_heap(self, rate, kept):
        target = self.path(f"go.{rate}.{kept}.pb.gz")
        program = self.path("heap")
        if not os.path.exists(program):
            run("go", "build", "-o", program, os.path.join(HERE, "heap.go"), GOCACHE=os.path.join(BUILD, "go-cache"), GO111MODULE="off")
        run(program, str(rate), str(kept), target, GOMAXPROCS="1")
        return target

    @needs("go")
    def test_go(self):
        for rate, within in ((1, 0.02), (4096, 0.25)):  # keep() also grows the slice it keeps them in
            before, after = self.go_heap(rate, FEWER), self.go_heap(rate, MORE)
            raw = run("go", "tool", "pprof", "-raw", "-symbolize=none", after, PPROF_TMPDIR=self.dir).stdout
            theirs = sum(int(match[1]) for match in re.finditer(r"^ +-?\d+ +-?\d+ +-?\d+ +(-?\d+): ", raw, re.MULTILINE))
            self.assertEqual(live_bytes(after)[1], theirs)
            self.assert_diff_names_keep(before, after, within=within)

    @needs("go")
    def test_a_profile_is_fetched_from_a_service_that_serves_pprof(self):
        profile = self.go_heap(1, FEWER)
        with open(profile, "rb") as file:
            Service.body = file.read()
        server = http.server.HTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}/debug/pprof/heap?gc=1"
        self.assertEqual(live_bytes(url), live_bytes(profile))
        self.assertEqual(set(Service.targets), {"/debug/pprof/heap?gc=1"})
        Service.body = b"<html>"
        refused = memwatch("show", url)
        self.assertEqual(refused.returncode, UNREADABLE)
        self.assertIn(url, refused.stderr)

    def test_what_is_no_profile_is_refused_and_says_what_was_expected(self):
        for name, content in {"text": b"hello\n", "packed": gzip.compress(b"hello"), "empty": b""}.items():
            with open(self.path(name), "wb") as file:
                file.write(content)
            refused = memwatch("show", self.path(name))
            self.assertEqual(refused.returncode, UNREADABLE)
            self.assertIn("pprof", refused.stderr)
            self.assertIn(self.path(name), refused.stderr)

    @needs(library("libtcmalloc.so.4") or "libtcmalloc.so.4")
    def test_a_cut_profile_is_marked(self):
        prefix = self.path("cut")
        run(self.program, "10", LD_PRELOAD=library("libtcmalloc.so.4"), HEAPPROFILE=prefix)
        with open(glob.glob(prefix + ".*.heap")[-1], "rb") as file:
            whole = file.read()
        with open(self.path("half.heap"), "wb") as file:
            file.write(whole[:whole.index(b"MAPPED_LIBRARIES")])
        shown = memwatch("show", self.path("half.heap"))
        self.assertEqual(shown.returncode, FINE)
        self.assertIn("cut off", shown.stderr)

    @needs(library("libtcmalloc.so.4") or "libtcmalloc.so.4")
    def test_a_program_that_changed_since_gives_no_names(self):
        program = self.path("changed")
        shutil.copy(VICTIM, program)
        run(program, "10", LD_PRELOAD=library("libtcmalloc.so.4"), HEAPPROFILE=program)
        profile = glob.glob(program + ".*.heap")[-1]
        self.assertIn("orders::keep", live_bytes(profile)[0])
        os.utime(program, (os.stat(profile).st_mtime + 10,) * 2)
        shown = memwatch("show", profile)
        self.assertIn("changed since it was written", shown.stderr)
        self.assertNotIn("orders::keep", shown.stdout)


class Out(FormatsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        run(MAKE_DUMPS, cls.dir)
        cls.before, cls.after = cls.path("before.memtrace"), cls.path("after.memtrace")
        cls.hostile = cls.path("hostile.json")

    def exported(self, dump, name, *options):
        target = self.path(name)
        done = memwatch("export", dump, "-o", target, *options)
        self.assertEqual(done.returncode, FINE, done.stderr)
        return target

    def sites(self, dump):
        return json.loads(run(MEMWATCH, "export", dump, "--format", "json").stdout)["sites"]

    def total(self, dump, what="live"):
        return sum(round(site[what]["bytes"]) for site in self.sites(dump))

    @classmethod
    def consumers(cls):
        """The folder of npm's packages; installed once a build folder."""
        folder = os.path.join(BUILD, "format-consumers")
        os.makedirs(folder, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(HERE, "consumers", name), folder)
        if not os.path.isdir(os.path.join(folder, "node_modules", "speedscope")):
            done = run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder, check=False)
            if done.returncode != 0:
                raise unittest.SkipTest("npm ci failed (no network?): " + done.stderr.strip()[-200:])
        return os.path.join(folder, "node_modules")

    def speedscope(self, file):
        done = run("node", os.path.join(HERE, "speedscope_import.js"), os.path.join(self.consumers(), "speedscope"), file, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    @needs("node", "npm")
    def test_speedscope(self):
        opened = self.speedscope(self.exported(self.after, "after.speedscope.json"))
        self.assertEqual([p["name"] for p in opened["profiles"]], ["live bytes", "live objects", "allocated bytes", "allocated objects"])
        self.assertEqual(opened["profiles"][0]["total"], self.total(self.after))
        self.assertEqual(opened["profiles"][2]["total"], self.total(self.after, "allocated"))
        self.assertEqual(opened["profiles"][0]["unit"], "bytes")

    @needs("node", "npm", "heaptrack")
    def test_speedscope_keeps_inlined_calls_that_its_own_reading_of_pprof_drops(self):
        recording = self.path("inlined")
        run("heaptrack", "-o", recording, self.program, "10")
        as_json = self.speedscope(self.exported(recording + ".zst", "inlined.speedscope.json"))["profiles"][0]
        as_pprof = self.speedscope(self.exported(recording + ".zst", "inlined.pb.gz"))["profiles"][0]
        self.assertEqual(as_json["total"], as_pprof["total"])
        self.assertGreaterEqual(len(as_json["frames"]), len(as_pprof["frames"]))
        self.assertIn("orders::keep", as_json["frames"])

    @needs("node", "npm")
    def test_speedscope_json_follows_its_published_schema(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("python3-jsonschema is not installed")
        with open(os.path.join(self.consumers(), "speedscope/dist/release/file-format-schema.json"), encoding="utf-8") as file:
            schema = json.load(file)
        for dump in (self.after, self.hostile):
            with open(self.exported(dump, "schema.speedscope.json"), encoding="utf-8") as file:
                jsonschema.validate(json.load(file), schema)

    @needs("node", "npm")
    def test_speedscope_opens_folded_stacks_and_pprof_to_the_same_sum(self):
        for name in ("after.folded", "after.pb.gz"):
            opened = self.speedscope(self.exported(self.after, name))
            self.assertAlmostEqual(opened["profiles"][0]["total"], self.total(self.after), delta=len(self.sites(self.after)) * 4)

    @needs("node", "npm")
    def test_hostile_names_open_everywhere(self):
        self.assertEqual(self.speedscope(self.exported(self.hostile, "hostile.speedscope.json"))["profiles"][0]["total"], self.total(self.hostile))
        self.speedscope(self.exported(self.hostile, "hostile.folded"))
        self.speedscope(self.exported(self.hostile, "hostile.pb.gz"))

    @needs("node", DH_VIEW)
    def test_dhat(self):
        for dump in (self.after, self.hostile):
            file = self.exported(dump, "after.dhat.json")
            done = run("node", os.path.join(HERE, "dhat_view.js"), DH_VIEW, file, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            opened = json.loads(done.stdout)
            self.assertEqual(opened["root"]["endBytes"], self.total(dump), opened["shown"][:500])
            self.assertIn("At t-end", opened["shown"])

    def pprof(self, *arguments):
        done = run("go", "tool", "pprof", "-symbolize=none", *arguments, check=False, PPROF_TMPDIR=self.dir)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @needs("go")
    def test_pprof(self):
        before, after = self.exported(self.before, "before.pb.gz"), self.exported(self.after, "after.pb.gz")
        raw = self.pprof("-raw", after)
        self.assertIn("inuse_space/bytes[dflt]", raw)
        rows = re.findall(r"^ +(-?\d+) +(-?\d+) +(-?\d+) +(-?\d+): ", raw, re.MULTILINE)
        self.assertAlmostEqual(sum(int(row[3]) for row in rows), self.total(self.after), delta=len(rows))
        self.assertIn("alloc_space/bytes[dflt]", self.pprof("-raw", self.exported(self.after, "allocs.pb.gz", "--format", "pprof_allocs")))
        grown = self.pprof("-top", "-unit=B", "-diff_base", before, after)
        site = json.loads(run(MEMWATCH, "diff", self.before, self.after, "--json").stdout)["rows"][0]
        self.assertIn(site["name"], grown)
        tags = self.pprof("-tags", after)
        for label in ("tag:", "route:", "thread:"):
            self.assertIn(label, tags)

    @needs("go")
    def test_pprof_comes_back_as_the_same_heap(self):
        back = self.exported(self.after, "back.pb.gz")
        diff = json.loads(run(MEMWATCH, "diff", self.after, back, "--json").stdout)
        self.assertLessEqual(abs(diff["total"]["bytes"]), diff["total"]["after"]["samples"])  # a byte a record
        for view in ("route", "thread", "tag"):
            self.assertEqual(memwatch("show", back, "--by", view).returncode, FINE)

    def test_csv(self):
        for dump in (self.after, self.hostile):
            with open(self.exported(dump, "after.csv"), newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file, strict=True))
            self.assertEqual(sum(int(row["live_bytes"]) for row in rows), self.total(dump))
            for row in rows:
                self.assertTrue(all(value is not None and not value.lstrip().startswith(("=", "+", "-", "@")) for value in row.values()), row)

    def test_folded_of_two(self):
        lines = run(MEMWATCH, "export", self.before, self.after, "--format", "folded").stdout.splitlines()
        sums = [sum(int(line.rsplit(" ", 2)[side]) for line in lines) for side in (1, 2)]
        for ours, dump in zip(sums, (self.before, self.after)):
            self.assertAlmostEqual(ours, self.total(dump), delta=len(self.sites(dump)))

    def test_usage(self):
        self.assertEqual(memwatch("export", self.after).returncode, USAGE)
        self.assertEqual(memwatch("export", self.after, "--format", "xml").returncode, USAGE)
        self.assertEqual(memwatch("export", self.before, self.after, "--format", "csv").returncode, USAGE)
        self.assertEqual(memwatch("export", self.path("none.memtrace"), "--format", "csv").returncode, UNREADABLE)
        self.assertEqual(os.stat(self.exported(self.after, "mode.csv")).st_mode & 0o777, 0o600)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
