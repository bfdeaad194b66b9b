#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`memwatch report` on programs that leak, each in one way: the hint, the files, the regression test that goes red.

    test_report.py MEMWATCH PRELOAD PROGRAMS MAKE_DUMPS ROOT BUILD CATCH_MAIN [unittest arguments]
"""

import base64
import hashlib
import html.parser
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import jsonschema
import yaml

MEMWATCH, PRELOAD, PROGRAMS, MAKE_DUMPS, ROOT, BUILD, CATCH_MAIN = (Path(p).resolve() for p in sys.argv[1:8])
LIMIT_SECONDS = 60
# program -> (the rule that has to come first, the function it has to be about, words of the reason)
EXPECTED = {
    "map_never_erased": ("erase_missing", "shop::open_session", "none was freed"),
    "early_return": ("erase_skipped", "shop::begin_request", "% was freed"),
    "shared_cycle": ("reference_cycle", "site::render_page", "owned by shared_ptr"),
    "pool_kept": ("pool_not_returned", "db::query", "of 4096"),
    "thread_scratch": ("ended_threads", "jobs::scratch", "threads that have ended, 1 block each"),
    "lost_in_queue": ("hand_off_lost", "mail::compose", "another thread"),
    "retained": ("allocator_retention", "", "RSS grew by"),
    "growing_list": ("text_accumulates", "errors::note", "string"),
    "strdup_kept": ("free_missing", "config::length_of_copy", "strdup"),
    "unbounded_cache": ("cache_without_bound", "web::look_up", "called a cache"),
}


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MEMWATCH_") and k != "LD_PRELOAD"}
    return {**kept, **more}


def memwatch(*arguments):
    return subprocess.run([MEMWATCH, *arguments], capture_output=True, text=True, timeout=LIMIT_SECONDS, env=environment(), check=False)


def front_matter(page):
    start, header, rest = page.split("---\n", 2)
    assert start == "", "the page begins with its front matter"
    return yaml.safe_load(header), rest


class Elements(html.parser.HTMLParser):
    """What an HTML reader sees: the elements, their attributes, whether they close."""

    EMPTY = {"meta", "br", "rect", "polyline"}

    def __init__(self, text):
        super().__init__()
        self.seen, self.attributes, self.open, self.style, self.text = set(), [], [], "", ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text += data


class ReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="memwatch-report-")
        cls.dir = Path(cls.folder.name)
        cls.schema = json.loads((ROOT / "docs/report.schema.json").read_text(encoding="utf-8"))
        for name in [*EXPECTED, "healthy"]:
            (cls.dir / name).mkdir()
            done = subprocess.run([PROGRAMS / f"leak-{name}", cls.dir / name], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
                                  env=environment(LD_PRELOAD=str(PRELOAD), MEMWATCH_PRESET="full"))
            if done.returncode != 0:
                raise AssertionError(f"{name}: {done.returncode} {done.stderr}")
        subprocess.run([MAKE_DUMPS, cls.dir], check=True, timeout=LIMIT_SECONDS)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def dumps(self, name):
        return [str(self.dir / name / f"{label}.memtrace") for label in ("before", "after")]

    def report(self, name, *more):
        """Writes the report of a program; returns its folder and the JSON twin."""
        folder = self.dir / name / "report"
        done = memwatch("report", *self.dumps(name), "-o", str(folder), *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return folder, json.loads((folder / "report.json").read_text(encoding="utf-8"))

    # --- what it says

    def test_each_leak_gets_the_hint_for_its_kind(self):
        for name, (rule, function, words) in EXPECTED.items():
            with self.subTest(name):
                folder, twin = self.report(name)
                first = twin["findings"][0]
                self.assertEqual(first["likely_fix"], rule, json.dumps(first["facts"]))
                self.assertEqual(first["function"].split("(")[0], function)
                self.assertIn(words, first["hints"][0]["why"])
                page = (folder / "report.md").read_text(encoding="utf-8")
                self.assertIn(f"(`{rule}`)", page)
                if function:
                    self.assertRegex(page.split("\n## ")[0], rf"`{function}` \(`[^`]*{name}\.cpp:\d+`\) grew by \+[\d.]+ [KM]iB")

    def test_a_healthy_program_has_no_finding(self):
        folder, twin = self.report("healthy")
        self.assertEqual(twin["findings"], [])
        self.assertTrue((folder / "report.md").read_text(encoding="utf-8").find("Nothing grew by 128.0 KiB or more with certainty.") > 0)
        self.assertFalse((folder / "regression").exists())

    def test_what_a_leak_is_for_is_told(self):
        _, twin = self.report("early_return")
        first = twin["findings"][0]
        self.assertIn({"by": "route", "name": "/api/v2/orders"}, [{k: s[k] for k in ("by", "name")} for s in first["shares"]])
        self.assertTrue(all(int(trace, 16) & 0xFFFF for trace in first["trace_ids"]) and first["trace_ids"])

    # --- the files

    def test_the_twin_matches_its_schema(self):
        for name in [*EXPECTED, "healthy"]:
            jsonschema.validate(self.report(name)[1], self.schema)
        done = memwatch("report", str(self.dir / "before.json"), str(self.dir / "hostile.json"), "--threshold", "0", "--format", "json")
        jsonschema.validate(json.loads(done.stdout), self.schema)

    def test_the_front_matter_is_yaml_and_says_what_the_twin_says(self):
        for name in [*EXPECTED, "healthy"]:
            folder, twin = self.report(name)
            header, _ = front_matter((folder / "report.md").read_text(encoding="utf-8"))
            self.assertEqual(header["schema_version"], 1)
            self.assertEqual(header["findings_count"], len(twin["findings"]) + twin["more_findings"])
            self.assertEqual([s["id"] for s in header["snapshots"]], [s["id"] for s in twin["snapshots"]])
            self.assertEqual([f["likely_fix"] for f in header["findings"]], [f["likely_fix"] for f in twin["findings"]])
            self.assertEqual(header["thresholds"]["growth_bytes"], 131072)

    def hostile(self, what):
        done = memwatch("report", str(self.dir / "before.json"), str(self.dir / "hostile.json"), "--threshold", "0", "--format", what)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_hostile_names_stay_names(self):
        header, rest = front_matter(self.hostile("md"))
        self.assertEqual(header["kind"], "memwatch.attribution")
        self.assertTrue(rest.startswith("\n# Memory report"))
        page = Elements(self.hostile("html"))
        self.assertEqual(page.open, [])
        self.assertNotIn("b", page.seen)

    def test_the_page_is_one_file_that_fetches_and_runs_nothing(self):
        folder, _ = self.report("early_return")
        text = (folder / "report.html").read_text(encoding="utf-8")
        page = Elements(text)
        self.assertEqual(page.open, [])
        self.assertFalse(page.seen & {"script", "img", "link", "iframe", "object", "embed", "form", "base"})
        self.assertFalse([a for a in page.attributes if a[1].startswith("on") or a[1] in ("style", "src")])
        self.assertTrue(all(a[2].startswith(("#finding-", "regression/")) for a in page.attributes if a[1] == "href"))
        digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
        self.assertIn(f"style-src 'sha256-{digest}'", text)
        self.assertIn("prefers-color-scheme:dark", page.style)
        if shutil.which("xmllint"):
            checked = subprocess.run(["xmllint", "--html", "--noout", "--recover", folder / "report.html"], capture_output=True, text=True, check=False)
            wrong = [line for line in checked.stderr.splitlines() if "error" in line and not re.search(r"Tag (section|details|summary|svg|rect|polyline) invalid", line)]
            self.assertEqual(wrong, [])
        else:
            print("not checked by xmllint: libxml2-utils is not installed")

    def test_files_are_the_users_alone(self):
        folder, _ = self.report("early_return")
        for path in folder.rglob("*"):
            if path.is_file():
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)

    def test_one_document_goes_where_it_is_told(self):
        done = memwatch("report", *self.dumps("early_return"), "--format", "md")
        self.assertTrue(done.stdout.startswith("---\n"))
        self.assertNotIn("regression/", done.stdout, "no link to a file that was not written")
        page = self.dir / "one.html"
        self.assertEqual(memwatch("report", *self.dumps("early_return"), "--format", "html", "-o", str(page)).stdout, "")
        self.assertTrue(page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>"))

    def test_three_snapshots_are_three_columns(self):
        before, after = self.dumps("early_return")
        done = memwatch("report", before, before, after, "--format", "json")
        twin = json.loads(done.stdout)
        self.assertEqual(len(twin["snapshots"]), 3)
        self.assertTrue(all(len(m["values"]) == 3 for m in twin["metrics"]) and twin["metrics"])

    def test_wrong_usage_and_unreadable_input(self):
        before, after = self.dumps("early_return")
        for arguments, status, words in (([before, "--format", "md"], 2, "two snapshots"), ([before, after], 2, "-o DIR"),
                                         ([before, after, "--format", "pdf"], 2, "md, json or html"), ([before, after, "-o", "x", "--limit", "much"], 2, "--limit"),
                                         ([before, after, "-o", before], 3, "cannot make the folder"), ([before, str(self.dir / "no"), "--format", "md"], 3, "no"),
                                         ([before, after, "--format", "md", "--focus", "re:("], 2, "re:(")):
            with self.subTest(arguments):
                done = memwatch("report", *arguments)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stdout, "")

    # --- the regression test

    def compile(self, source, *more):
        done = subprocess.run(["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "include", "-I", BUILD / "include", source, *more],
                              capture_output=True, text=True, timeout=4 * LIMIT_SECONDS, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def build_and_run(self, source, program):
        library = BUILD / "src"
        self.compile(source, "-o", program, CATCH_MAIN, "-L", library, "-lmemwatch", f"-Wl,-rpath,{library}", "-pthread")
        return subprocess.run([program], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False, env=environment(LD_PRELOAD=str(PRELOAD)))

    def template(self, name):
        folder, twin = self.report(name)
        path = folder / "regression" / twin["findings"][0]["regression_test"]
        return path, path.read_text(encoding="utf-8")

    def planted(self, name, statement):
        path, text = self.template(name)
        found = re.search(r"    // TODO: .*\n", text)
        self.assertTrue(found)
        leaking = path.with_name("leaking.cpp")
        leaking.write_text(text.replace(found[0], f"    {statement}\n"), encoding="utf-8")
        return leaking

    def test_the_template_passes_empty_and_fails_with_the_leak(self):
        for name, statement, says in (("unbounded_cache", 'static_cast<void>(memwatch::tracked_allocator<int>{memwatch::tag{"answer-cache"}}.allocate(8));', "answer-cache"),
                                      ("map_never_erased", "static int* volatile kept; kept = new int[25]; static_cast<void>(kept);", "leaked")):
            with self.subTest(name):
                path, _ = self.template(name)
                empty = self.build_and_run(path, self.dir / f"{name}-empty")
                self.assertEqual(empty.returncode, 0, empty.stdout + empty.stderr)
                red = self.build_and_run(self.planted(name, statement), self.dir / f"{name}-leaking")
                self.assertNotEqual(red.returncode, 0, red.stdout)
                self.assertIn(says, red.stdout)

    def test_templates_of_hostile_names_compile(self):
        folder = self.dir / "hostile-report"
        done = memwatch("report", str(self.dir / "before.json"), str(self.dir / "hostile.json"), "--threshold", "0", "-o", str(folder))
        self.assertEqual(done.returncode, 0, done.stderr)
        sources = sorted((folder / "regression").iterdir())
        self.assertTrue(sources)
        self.compile(sources[0], "-fsyntax-only", "-Wcomment", "-Wtrigraphs", "-Wbidi-chars=any")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[8:]], verbosity=2)
