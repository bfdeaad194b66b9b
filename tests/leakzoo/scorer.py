# SPDX-License-Identifier: Apache-2.0
"""Findings against the truth of the zoo's programs: precision, recall, curves. Pure functions of a list of runs.

A run is what memwatch-leakzoo writes: {"program", "family", "mode", "seed", "threads", "epoch_s", "ran_s", "truth": [...] (zoo.hpp),
"findings": [{"function", "class", "verdict", "confidence", "decided_s", ...}], "series": [...], "lsan": [...] or None}.

The unit is a function in a run. A claim "leak" on a function that leaks is a true positive; on any other a false positive; nobody is
asked about what the truth calls undecidable. Recall counts the leaks whose information bound (25 objects, or 25 expected samples)
was reached GRACE_EPOCHS before the end; the others are reported apart, and never as false positives. Intervals are Wilson's at 95 %.
"""

import hashlib
import math
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import baselines

GRACE_EPOCHS = 20  # after the information bound a leak must have been named (the promise of docs/verdicts.md)
HELD_OUT_PART = 4  # one program in four, by its name alone
SLOPE_LEAST_SHARE = 0.10  # the naive rule: last half grew by a tenth of what is live
MANN_KENDALL_P = 0.01
CONFIDENCE_BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


# --- names

def without_brackets(text: str, opening: str, closing: str) -> str:
    """`f<a<b>>` -> `f`; what belongs to an operator's own name stays."""
    out, depth, at = [], 0, 0
    while at < len(text):
        operator = re.match(r"operator\s*(\(\)|<<=|>>=|<=>|<<|>>|<=|>=|->\*|->|<|>)", text[at:]) if depth == 0 else None
        if operator:
            out.append(operator.group(0))
            at += operator.end()
            continue
        if text[at] == opening:
            depth += 1
        elif text[at] == closing and depth > 0:
            depth -= 1
        elif depth == 0:
            out.append(text[at])
        at += 1
    return "".join(out)


def canonical(name: str) -> str:
    """`void (anonymous namespace)::cache<int>::insert(int) const` -> `cache::insert`."""
    name = re.sub(r"\[(abi:|clone )[^\]]*\]|\s+\(\.[\w.]+\)", "", name)
    name = name.replace("(anonymous namespace)::", "").replace("{anonymous}::", "")
    name = re.sub(r"\{lambda.*?\}(?=::|$)", "{lambda}", name)
    name = re.sub(r"<lambda.*?>(?=::|$)", "{lambda}", name)
    name = without_brackets(without_brackets(name, "<", ">"), "(", ")")
    name = re.sub(r"\s+(const|volatile|&|&&|noexcept)\s*$", "", name.strip()).strip()
    if "operator" not in name:
        name = name.split(" ")[-1]
    return name


def is_same_function(a: str, b: str) -> bool:
    """One of the two may leave out namespaces or the class."""
    a, b = canonical(a), canonical(b)
    return bool(a) and bool(b) and (a == b or a.endswith("::" + b) or b.endswith("::" + a))


def truth_row(run: dict, function: str) -> Optional[dict]:
    """The most exact match, so that `cache::insert` and `insert` can stand in one program."""
    best = None
    for row in run["truth"]:
        for name in [row["function"]] + row.get("also", []):
            if canonical(name) == canonical(function):
                return row
            if is_same_function(name, function):
                best = best or row
    return best


def is_held_out(program: str) -> bool:
    return int(hashlib.sha256(program.encode()).hexdigest(), 16) % HELD_OUT_PART == 0


# --- claims: what a detector says of one run

@dataclass
class Claim:
    function: str
    is_leak: bool
    score: float = 0.0  # how sure it is that this leaks; claims are ranked by it
    kind: str = ""      # the detector's own class
    decided_s: Optional[float] = None  # since the program's start
    is_suspect: bool = False
    p_leak: Optional[float] = None  # a probability, when the detector says one


def engine_claims(run: dict) -> List[Claim]:
    out = []
    for each in run["findings"]:
        level, confidence = each["verdict"], float(each.get("confidence") or 0.0)
        is_known = each["class"] != "inconclusive"  # of the others it says that it does not know
        out.append(Claim(each["function"], level == "leak", confidence, each["class"], each.get("decided_s"), level == "suspect",
                         confidence if is_known else None))
    return out


def series_by_function(run: dict) -> Dict[str, List[dict]]:
    out = defaultdict(list)
    for each in run.get("series") or []:
        out[canonical(each["function"])].append(each)
    return out


def slope_claims(run: dict) -> List[Claim]:
    out = []
    for function, sites in series_by_function(run).items():
        times, values = baselines.summed(sites)
        scores = baselines.slope_score_by_length(times, values)
        decided = baselines.alarm_since(times, [each >= SLOPE_LEAST_SHARE for each in scores])
        out.append(Claim(function, decided is not None, scores[-1], "slope", decided))
    return out


def mann_kendall_claims(run: dict) -> List[Claim]:
    out = []
    for function, sites in series_by_function(run).items():
        times, values = baselines.summed(sites)
        chances = baselines.mann_kendall_by_length(values)
        decided = baselines.alarm_since(times, [p < MANN_KENDALL_P for p in chances])
        out.append(Claim(function, decided is not None, 1.0 - chances[-1], "mann_kendall", decided))
    return out


def lsan_claims(run: dict) -> List[Claim]:
    return [Claim(each["function"], True, 1.0, each.get("kind", "lsan")) for each in run.get("lsan") or []]


DETECTORS: Dict[str, Callable[[dict], List[Claim]]] = {
    "memwatch": engine_claims,
    "slope threshold": slope_claims,
    "Mann-Kendall": mann_kendall_claims,
    "LeakSanitizer at exit": lsan_claims,
}


# --- units: a function of a run, with what is true and what was said

@dataclass
class Unit:
    run: dict
    function: str
    is_leak: bool
    kind: str = ""            # of the truth
    bound_s: Optional[float] = None
    is_countable: bool = False  # for recall
    claims: List[Claim] = field(default_factory=list)

    @property
    def is_claimed(self) -> bool:
        return any(claim.is_leak for claim in self.claims)

    @property
    def is_suspected(self) -> bool:
        return not self.is_claimed and any(claim.is_suspect for claim in self.claims)

    @property
    def score(self) -> float:
        return max((claim.score for claim in self.claims), default=0.0)

    @property
    def decided_s(self) -> Optional[float]:
        return min((claim.decided_s for claim in self.claims if claim.is_leak and claim.decided_s is not None), default=None)

    @property
    def delay_epochs(self) -> Optional[float]:
        """After the bound; an early verdict has a delay of 0."""
        if self.decided_s is None or self.bound_s is None:
            return None
        return max(0.0, (self.decided_s - self.bound_s) / self.run["epoch_s"])


def bound_of(run: dict, row: dict) -> Optional[float]:
    return row["information_bound_s" if run["mode"] == "full" else "sampled_bound_s"]


def units_of(run: dict, claims: Sequence[Claim]) -> List[Unit]:
    """Every function the truth names or a claim is about; without those nobody could judge."""
    by_function: Dict[str, Unit] = {}
    undecidable = set()
    for row in run["truth"]:
        key = canonical(row["function"])
        if row["class"] == "undecidable":
            undecidable.add(key)
            continue
        is_leak = row["class"] == "leak" and row["objects"] + row["bytes"] > 0
        bound = bound_of(run, row) if is_leak else None
        countable = bound is not None and bound + GRACE_EPOCHS * run["epoch_s"] <= run["ran_s"]
        by_function[key] = Unit(run, key, is_leak, row["kind"], bound, countable)
    for claim in claims:
        row = truth_row(run, claim.function)
        key = canonical(row["function"]) if row else canonical(claim.function)
        if key in undecidable:
            continue
        by_function.setdefault(key, Unit(run, key, False)).claims.append(claim)
    return list(by_function.values())


def all_units(runs: Sequence[dict], detector: str) -> List[Unit]:
    """What was said of a run is kept beside it: tables ask more than once."""
    out = []
    for run in runs:
        if detector == "LeakSanitizer at exit" and run.get("lsan") is None:
            continue
        said = run.setdefault("_claims", {})
        if detector not in said:
            said[detector] = DETECTORS[detector](run)
        out += units_of(run, said[detector])
    return out


# --- figures

@dataclass
class Share:
    part: int
    whole: int

    @property
    def value(self) -> Optional[float]:
        return self.part / self.whole if self.whole else None

    def interval(self, z: float = 1.959964) -> Tuple[float, float]:
        """Wilson's."""
        if self.whole == 0:
            return 0.0, 1.0
        n, p = self.whole, self.part / self.whole
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)

    def as_json(self) -> dict:
        low, high = self.interval()
        return {"part": self.part, "whole": self.whole, "value": self.value, "low": low, "high": high}

    def __str__(self) -> str:
        if not self.whole:
            return "-"
        low, high = self.interval()
        return f"{self.value:.3f} ({self.part}/{self.whole}; {low:.3f}..{high:.3f})"


def precision(units: Sequence[Unit]) -> Share:
    claimed = [unit for unit in units if unit.is_claimed]
    return Share(sum(unit.is_leak for unit in claimed), len(claimed))


def recall(units: Sequence[Unit]) -> Share:
    countable = [unit for unit in units if unit.is_countable]
    return Share(sum(unit.is_claimed for unit in countable), len(countable))


def timely_recall(units: Sequence[Unit]) -> Share:
    """Named within GRACE_EPOCHS after the bound. Who does not say when is taken at the end, which is later."""
    countable = [unit for unit in units if unit.is_countable]
    def is_timely(unit: Unit) -> bool:
        return unit.is_claimed and (unit.delay_epochs is None or unit.delay_epochs <= GRACE_EPOCHS)
    return Share(sum(is_timely(unit) for unit in countable), len(countable))


def curve(units: Sequence[Unit]) -> List[Tuple[float, float, float]]:
    """(least score, precision, recall) at each score that occurs, highest first. Precision over all, recall over countable leaks."""
    countable = sum(unit.is_countable for unit in units)
    out, named, true, found = [], 0, 0, 0
    ranked = sorted((unit for unit in units if unit.score > 0), key=lambda unit: -unit.score)
    for at, unit in enumerate(ranked):
        named, true, found = named + 1, true + unit.is_leak, found + (unit.is_leak and unit.is_countable)
        if at + 1 == len(ranked) or ranked[at + 1].score != unit.score:
            out.append((unit.score, true / named, found / countable if countable else 0.0))
    return out


def average_precision(points: Sequence[Tuple[float, float, float]]) -> float:
    area, before = 0.0, 0.0
    for _, p, r in points:
        area, before = area + p * (r - before), r
    return area


def best_f1(points: Sequence[Tuple[float, float, float]]) -> Optional[Tuple[float, float, float]]:
    """The point that hindsight would choose."""
    return max(points, key=lambda each: 2 * each[1] * each[2] / (each[1] + each[2]) if each[1] + each[2] else 0, default=None)


def reliability(units: Sequence[Unit]) -> List[dict]:
    """Of what was said to leak with such a probability, how much does? The last bin holds 1."""
    bins = [{"low": low, "high": high, "count": 0, "confidence": 0.0, "true": 0}
            for low, high in zip(CONFIDENCE_BINS, CONFIDENCE_BINS[1:])]
    for unit in units:
        said = [claim.p_leak for claim in unit.claims if claim.p_leak is not None]
        if not said:
            continue
        confidence = max(said)
        at = next((b for b in bins if b["low"] <= confidence < b["high"]), bins[-1])
        at["count"] += 1
        at["confidence"] += confidence
        at["true"] += unit.is_leak
    for each in bins:
        each["confidence"] = each["confidence"] / each["count"] if each["count"] else None
    return bins


def calibration_error(bins: Sequence[dict]) -> Optional[float]:
    total = sum(each["count"] for each in bins)
    if total == 0:
        return None
    return sum(abs(each["confidence"] * each["count"] - each["true"]) for each in bins if each["count"]) / total


def quantile(values: Sequence[float], share: float) -> Optional[float]:
    """Of sorted values, the smallest that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def delays(units: Sequence[Unit]) -> dict:
    known = [unit.delay_epochs for unit in units if unit.is_countable and unit.is_claimed and unit.delay_epochs is not None]
    return {"known": len(known), "median": quantile(known, 0.5), "p90": quantile(known, 0.9), "worst": max(known, default=None)}


def by_key(units: Sequence[Unit], key: Callable[[Unit], Sequence[str]]) -> Dict[str, List[Unit]]:
    out = defaultdict(list)
    for unit in units:
        for each in key(unit):
            out[each].append(unit)
    return dict(sorted(out.items()))


def score(runs: Sequence[dict], detector: str = "memwatch") -> dict:
    """Everything in one value; memwatch-leakzoo prints it."""
    units = all_units(runs, detector)
    points = curve(units)
    bins = reliability(units)
    leaks = [unit for unit in units if unit.is_leak]
    classes = by_key(units, lambda unit: sorted({claim.kind for claim in unit.claims if claim.is_leak}))
    return {
        "runs": len(runs),
        "units": len(units),
        "precision": precision(units).as_json(),
        "recall": recall(units).as_json(),
        "timely_recall": timely_recall(units).as_json(),
        "below_bound": {"leaks": sum(not unit.is_countable for unit in leaks),
                        "named": sum(unit.is_claimed for unit in leaks if not unit.is_countable)},
        "suspects": {"true": sum(unit.is_suspected for unit in leaks),
                     "false": sum(unit.is_suspected for unit in units if not unit.is_leak)},
        "precision_by_class": {name: precision(of).as_json() for name, of in classes.items()},
        "recall_by_kind": {name: recall(of).as_json() for name, of in by_key([u for u in leaks if u.is_countable], lambda u: [u.kind]).items()},
        "curve": points,
        "average_precision": average_precision(points),
        "best_f1": best_f1(points),
        "reliability": bins,
        "calibration_error": calibration_error(bins),
        "delay_epochs": delays(units),
    }


def fleeting(runs: Sequence[dict]) -> List[Unit]:
    """Functions that do not leak and were called a leak at some look, but not in the end: what would have woken somebody up."""
    out = []
    for run in runs:
        ended = {unit.function for unit in units_of(run, engine_claims(run)) if unit.is_claimed}
        ever = []
        for each in run.get("series") or []:
            leaks = [change for change in each.get("verdicts", []) if change[2] == "leak"]
            ever += [Claim(each["function"], True, change[3], change[1], change[4]) for change in leaks[-1:]]
        out += [unit for unit in units_of(run, ever) if unit.is_claimed and not unit.is_leak and unit.function not in ended]
    return out


def wrong(runs: Sequence[dict], detector: str = "memwatch") -> Tuple[List[Unit], List[Unit]]:
    """(false positives, misses above the bound)."""
    units = all_units(runs, detector)
    return [u for u in units if u.is_claimed and not u.is_leak], [u for u in units if u.is_countable and not u.is_claimed]
