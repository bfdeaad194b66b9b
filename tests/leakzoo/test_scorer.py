# SPDX-License-Identifier: Apache-2.0
"""The scorer's arithmetic on findings that are made up: what counts, what does not, and that the figures are the textbook's."""

import importlib.machinery
import importlib.util
import math
import random
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import baselines  # noqa: E402
import scorer  # noqa: E402


def load_runner():
    path = str(Path(__file__).resolve().parent / "memwatch-leakzoo")
    loader = importlib.machinery.SourceFileLoader("memwatch_leakzoo", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("memwatch_leakzoo", loader))
    loader.exec_module(module)
    return module


def truth(function, its_class="leak", bound=2.0, **more):
    lost = 100 if its_class == "leak" else 0
    return {"function": function, "also": [], "class": its_class, "kind": "kind", "bytes": 64 * lost, "objects": lost,
            "information_bound_s": bound if lost else None, "sampled_bound_s": bound if lost else None, **more}


def finding(function, verdict="leak", confidence=0.99, decided_s=3.0, its_class=None):
    names = {"leak": "leak_retained", "suspect": "suspect_growth", "none": "steady"}
    return {"function": function, "class": its_class or names[verdict], "verdict": verdict, "confidence": confidence,
            "decided_s": decided_s if verdict == "leak" else None}


def a_run(truths, findings, **more):
    return {"program": "made_up", "family": "plain", "mode": "full", "seed": 1, "threads": 1, "epoch_s": 0.25, "ran_s": 20.0,
            "held_out": False, "truth": truths, "findings": findings, "series": [], "lsan": None, **more}


def a_series(function, values, verdicts=()):
    return {"function": function, "site": "0123", "times": [0.5 * i for i in range(len(values))], "bytes": list(values),
            "verdicts": list(verdicts)}


class Names(unittest.TestCase):
    def test_names_lose_what_compilers_add(self):
        for spelled, bare in {
            "(anonymous namespace)::subscribe(unsigned long)": "subscribe",
            "void ns::cache<int, std::less<int>>::insert<char>(int) const": "ns::cache::insert",
            "std::string zoo_app::make[abi:cxx11](int)": "zoo_app::make",
            "parse(char const*) [clone .part.0]": "parse",
            "main::{lambda(zoo::worker&)#1}::operator()(zoo::worker&) const": "main::{lambda}::operator()",
            "shop::order::operator<<(int)": "shop::order::operator<<",
            "node::operator new(unsigned long)": "node::operator new",
            "push_back": "push_back",
        }.items():
            self.assertEqual(scorer.canonical(spelled), bare, spelled)

    def test_a_name_may_lack_its_class_but_not_be_part_of_a_word(self):
        self.assertTrue(scorer.is_same_function("shop::cache::insert(int)", "cache::insert"))
        self.assertTrue(scorer.is_same_function("insert", "cache::insert"))
        self.assertFalse(scorer.is_same_function("reinsert", "insert"))
        self.assertFalse(scorer.is_same_function("cache::insert", "queue::insert"))

    def test_the_most_exact_row_is_taken(self):
        run = a_run([truth("insert", "clean"), truth("cache::insert")], [])
        self.assertEqual(scorer.truth_row(run, "cache::insert(int)")["class"], "leak")


class Counting(unittest.TestCase):
    def test_each_cell_of_the_table(self):
        runs = [a_run([truth("found"), truth("missed"), truth("healthy", "clean"), truth("accused", "clean")],
                      [finding("found"), finding("missed", "suspect"), finding("healthy", "none"), finding("accused"),
                       finding("somebody_else")])]
        s = scorer.score(runs)
        self.assertEqual((s["precision"]["part"], s["precision"]["whole"]), (1, 3))
        self.assertEqual((s["recall"]["part"], s["recall"]["whole"]), (1, 2))
        self.assertEqual(s["suspects"], {"true": 1, "false": 0})
        false, missed = scorer.wrong(runs)
        self.assertEqual({u.function for u in false}, {"accused", "somebody_else"})
        self.assertEqual({u.function for u in missed}, {"missed"})

    def test_sites_of_one_function_count_once(self):
        s = scorer.score([a_run([truth("found")], [finding("found"), finding("found"), finding("found", "none")])])
        self.assertEqual(s["precision"]["whole"], 1)
        self.assertEqual(s["recall"]["whole"], 1)

    def test_a_leak_may_go_by_another_name(self):
        s = scorer.score([a_run([truth("open_session", also=["session::session"])], [finding("net::session::session(int)")])])
        self.assertEqual((s["precision"]["value"], s["recall"]["value"]), (1.0, 1.0))

    def test_the_undecidable_is_nobodys_fault(self):
        s = scorer.score([a_run([truth("who_knows", "undecidable")], [finding("who_knows")])])
        self.assertEqual((s["precision"]["whole"], s["recall"]["whole"]), (0, 0))

    def test_below_the_bound_a_miss_is_reported_apart_and_a_hit_is_still_true(self):
        for bound in (None, 15.001):  # never, or less than 20 epochs before the end
            s = scorer.score([a_run([truth("small", bound=bound), truth("smaller", bound=bound)], [finding("small")])])
            self.assertEqual((s["precision"]["part"], s["precision"]["whole"], s["recall"]["whole"]), (1, 1, 0))
            self.assertEqual(s["below_bound"], {"leaks": 2, "named": 1})
        self.assertEqual(scorer.score([a_run([truth("small", bound=15.0)], [])])["recall"]["whole"], 1)

    def test_sampled_runs_have_their_own_bound(self):
        row = truth("f", bound=1.0, sampled_bound_s=None)
        self.assertEqual(scorer.score([a_run([row], [])])["recall"]["whole"], 1)
        self.assertEqual(scorer.score([a_run([row], [], mode="sampled")])["recall"]["whole"], 0)

    def test_a_leak_that_never_happened_is_clean(self):
        row = truth("f", bytes=0, objects=0, information_bound_s=None)
        s = scorer.score([a_run([row], [finding("f")])])
        self.assertEqual((s["precision"]["value"], s["recall"]["whole"]), (0.0, 0))

    def test_delay_is_counted_in_epochs_after_the_bound(self):
        runs = [a_run([truth("a"), truth("b"), truth("c")], [finding("a", decided_s=1.0), finding("b", decided_s=4.5),
                                                             finding("c", decided_s=7.5)])]
        s = scorer.score(runs)
        self.assertEqual(s["delay_epochs"], {"known": 3, "median": 10.0, "p90": 22.0, "worst": 22.0})
        self.assertEqual((s["recall"]["part"], s["timely_recall"]["part"]), (3, 2))

    def test_an_accusation_that_was_taken_back_is_seen(self):
        healthy = a_series("healthy", [0] * 9, [[1, "leak_retained", "leak", 0.9, 2.0], [5, "cache", "none", 0.1, 4.0]])
        guilty = a_series("guilty", [0] * 9, [[1, "leak_retained", "leak", 0.9, 2.0]])
        run = a_run([truth("guilty"), truth("healthy", "clean")], [finding("guilty"), finding("healthy", "none")], series=[healthy, guilty])
        self.assertEqual([unit.function for unit in scorer.fleeting([run])], ["healthy"])


class Figures(unittest.TestCase):
    def test_wilson_is_the_textbook_s(self):
        low, high = scorer.Share(95, 100).interval()
        self.assertAlmostEqual(low, 0.88825, places=5)
        self.assertAlmostEqual(high, 0.9785, places=4)
        self.assertEqual(scorer.Share(0, 0).interval(), (0.0, 1.0))
        self.assertEqual(scorer.Share(5, 5).interval()[1], 1.0)

    def test_the_curve_of_a_perfect_and_of_a_backward_ranking(self):
        truths = [truth("a"), truth("b"), truth("x", "clean"), truth("y", "clean")]
        perfect = a_run(truths, [finding("a", confidence=0.9), finding("b", confidence=0.8), finding("x", "none", 0.2),
                                 finding("y", "none", 0.1)])
        s = scorer.score([perfect])
        self.assertEqual(s["average_precision"], 1.0)
        self.assertEqual(s["best_f1"], (0.8, 1.0, 1.0))
        backward = a_run(truths, [finding("a", confidence=0.1), finding("b", confidence=0.2), finding("x", "none", 0.9),
                                  finding("y", "none", 0.8)])
        s = scorer.score([backward])
        self.assertEqual([point[1:] for point in s["curve"]], [(0.0, 0.0), (0.0, 0.0), (1 / 3, 0.5), (0.5, 1.0)])
        self.assertAlmostEqual(s["average_precision"], (1 / 3 + 0.5) / 2)

    def test_equal_scores_are_one_point(self):
        run = a_run([truth("a"), truth("x", "clean")], [finding("a", confidence=0.5), finding("x", confidence=0.5)])
        self.assertEqual(scorer.score([run])["curve"], [(0.5, 0.5, 1.0)])

    def test_the_calibration_error_is_the_weighted_gap(self):
        truths = [truth(f"f{i}") for i in range(6)] + [truth(f"x{i}", "clean") for i in range(4)]
        findings = [finding(f"f{i}", confidence=0.85) for i in range(6)] + [finding(f"x{i}", confidence=0.85) for i in range(4)]
        s = scorer.score([a_run(truths, findings)])
        self.assertAlmostEqual(s["calibration_error"], 0.25)  # said 0.85, true 0.6
        s = scorer.score([a_run(truths, [finding("f0", confidence=1.0), finding("x0", "none", 0.0)])])
        self.assertEqual(s["calibration_error"], 0.0)

    def test_who_does_not_know_says_no_probability(self):
        s = scorer.score([a_run([truth("a")], [finding("a", "none", 0.4, its_class="inconclusive")])])
        self.assertIsNone(s["calibration_error"])


class Baselines(unittest.TestCase):
    def test_mann_kendall_on_a_known_series(self):
        # 10 values, S = 45 - 2 x 2 (two inversions) = 41, variance 125: z = 40 / 11.1803 = 3.5777, p = 1.73e-4.
        p = baselines.mann_kendall([1, 3, 2, 4, 5, 7, 6, 8, 9, 10])
        self.assertAlmostEqual(p, 1.733e-4, delta=2e-6)
        self.assertEqual(baselines.mann_kendall([5] * 20), 1.0)
        self.assertEqual(baselines.mann_kendall(list(range(20, 0, -1))), 1.0)

    def test_mann_kendall_holds_its_level_on_noise(self):
        # 2,000 series of noise at p < 0.01: binomial with mean 20 and sigma 4.45; 45 is 5.6 sigma (odds 1e-8).
        noise = random.Random(7)
        alarms = sum(baselines.mann_kendall([noise.random() for _ in range(20)]) < 0.01 for _ in range(2000))
        self.assertLess(alarms, 45)

    def test_the_slope_of_a_line(self):
        self.assertAlmostEqual(baselines.slope([0, 1, 2, 3], [5, 7, 9, 11]), 2.0)
        self.assertEqual(baselines.slope([1, 1], [0, 9]), 0.0)
        times, values = list(range(21)), [10_000 * i for i in range(21)]
        self.assertAlmostEqual(baselines.slope_score(times, values), 0.5)
        self.assertEqual(baselines.slope_score(times, [1_000_000] * 21), 0.0)
        self.assertEqual(baselines.slope_score(times, [i for i in range(21)]), 0.0)  # nobody is woken for 10 bytes

    def test_baselines_cry_wolf_where_memory_only_warms_up(self):
        warm = [100_000 * min(i, 30) for i in range(40)]
        run = a_run([truth("cache", "clean"), truth("leak")], [], series=[a_series("cache", warm), a_series("leak", [5000 * i for i in range(40)])])
        self.assertEqual(scorer.score([run], "Mann-Kendall")["precision"]["value"], 0.5)
        self.assertEqual(scorer.score([run], "slope threshold")["recall"]["value"], 1.0)

    def test_sites_of_a_function_are_added_up(self):
        run = a_run([truth("f")], [], series=[a_series("f", [5000 * i for i in range(40)]), a_series("(anonymous namespace)::f(int)", [0] * 40)])
        self.assertEqual(len(scorer.slope_claims(run)), 1)

    def test_an_alarm_counts_from_when_it_stays_on(self):
        times = list(range(20))
        self.assertEqual(baselines.alarm_since(times, [t in {11, 12, 15, 16, 17, 18, 19} for t in times]), 15)
        self.assertIsNone(baselines.alarm_since(times, [t < 14 for t in times]))

    def test_mann_kendall_by_length_is_that_of_each_beginning(self):
        noise = random.Random(3)
        values = [noise.randrange(6) + i / 8 // 1 for i in range(25)]  # with ties
        by_length = baselines.mann_kendall_by_length(values)
        for count in range(1, 26):
            s = sum((values[j] > values[i]) - (values[j] < values[i]) for i in range(count) for j in range(i + 1, count))
            groups = [values[:count].count(v) for v in set(values[:count])]
            variance = (count * (count - 1) * (2 * count + 5) - sum(t * (t - 1) * (2 * t + 5) for t in groups)) / 18
            expected = 0.5 * math.erfc((s - 1) / math.sqrt(2 * variance)) if count >= 8 and s > 0 and variance > 0 else 1.0
            self.assertAlmostEqual(by_length[count - 1], expected)


class Runner(unittest.TestCase):
    runner = load_runner()

    def test_lsan_is_read_up_to_the_program_s_own_frame(self):
        text = """
=================================================================
==1==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 8800 byte(s) in 100 object(s) allocated from:
    #0 0x7f1 in operator new(unsigned long) ../../../../src/libsanitizer/lsan/lsan_interceptors.cpp:248
    #1 0x552 in std::__new_allocator<char>::allocate(unsigned long, void const*) /usr/include/c++/12/bits/new_allocator.h:137
    #2 0x553 in (anonymous namespace)::subscribe(unsigned long) ../tests/leakzoo/programs/leak_a.cpp:22
    #3 0x554 in main ../tests/leakzoo/programs/leak_a.cpp:48

Indirect leak of 24 byte(s) in 1 object(s) allocated from:
    #0 0x7f1 in malloc ../../../../src/libsanitizer/lsan/lsan_interceptors.cpp:48
    #1 0x555 in fill ../tests/leakzoo/programs/leak_a.cpp:9

SUMMARY: LeakSanitizer: 8824 byte(s) leaked in 101 allocation(s).
"""
        self.assertEqual([(each["function"], each["kind"], each["bytes"]) for each in self.runner.parse_lsan(text)],
                         [("subscribe", "direct", 8800), ("fill", "indirect", 24)])
        self.assertEqual(self.runner.parse_lsan("nothing\n"), [])

    def test_a_verdict_counts_from_when_it_was_never_taken_back(self):
        leak, cache = [0, "leak_retained", "leak", 0.9, 2.0], [1, "cache", "none", 0.1, 3.0]
        self.assertEqual(self.runner.leak_since([leak]), 2.0)
        self.assertEqual(self.runner.leak_since([leak, cache, [2, "leak_retained", "leak", 0.9, 4.0], [3, "pool_leak", "leak", 0.9, 5.0]]), 4.0)
        self.assertIsNone(self.runner.leak_since([leak, cache]))

    def test_the_reduced_set_has_both_kinds_of_both_families(self):
        rows = [f"{kind}_{i}\t{family}\t1 4\tx" for kind in ("leak", "clean") for family in ("plain", "linked") for i in range(7)]
        chosen = self.runner.representative([self.runner.Program(each, Path(".")) for each in rows])
        self.assertEqual(sorted((p.name.split("_")[0], p.family) for p in chosen),
                         sorted((kind, family) for kind in ("leak", "clean") for family in ("plain", "linked") for _ in range(3)))

    def test_limits_are_the_promised_ones(self):
        runs = [a_run([truth(f"f{i}")], [finding(f"f{i}")]) for i in range(19)] + [a_run([truth("g")], [])]
        self.assertEqual(self.runner.missed_limits(runs), [])  # recall 0.95
        self.assertEqual(len(self.runner.missed_limits(runs + [a_run([truth("h")], [])])), 1)
        self.assertEqual(len(self.runner.missed_limits(runs + [a_run([], [finding("x")])])), 1)


if __name__ == "__main__":
    unittest.main()
