# SPDX-License-Identifier: Apache-2.0
"""What people use today, on the same series of live bytes: a slope threshold and a Mann-Kendall test. Pure functions.

A series is two lists of equal length: seconds since the program's start, and a site's live bytes at those times.
"""

import math
from typing import List, Optional, Sequence, Tuple

FEWEST_POINTS = 8
LEAST_GROWTH_BYTES = 4096  # what is below nobody would be woken for; spares the baselines the noise of tiny sites


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Least squares, bytes per second; 0 for fewer than two different times."""
    count = len(times)
    if count < 2:
        return 0.0
    mean_t, mean_v = sum(times) / count, sum(values) / count
    spread = sum((t - mean_t) ** 2 for t in times)
    if spread == 0:
        return 0.0
    return sum((t - mean_t) * (v - mean_v) for t, v in zip(times, values)) / spread


def slope_score(times: Sequence[float], values: Sequence[float]) -> float:
    """Growth over the last half of the series by its slope, as a share of what is live at the end: an alert rule of dashboards."""
    if len(times) < FEWEST_POINTS:
        return 0.0
    half = len(times) // 2
    grown = slope(times[half:], values[half:]) * (times[-1] - times[half])
    if grown < LEAST_GROWTH_BYTES or values[-1] <= 0:
        return 0.0
    return grown / values[-1]


def mann_kendall_by_length(values: Sequence[float]) -> List[float]:
    """One-sided p of "no upward trend" of values[:1], values[:2] ..., with the variance corrected for ties; 1 for what is too short."""
    out, s, ties = [], 0, {}
    tie_sum = 0  # of t (t - 1) (2 t + 5) over groups of equal values
    for j, value in enumerate(values):
        s += sum((value > before) - (value < before) for before in values[:j])
        t = ties.get(value, 0)
        ties[value] = t + 1
        tie_sum += (t + 1) * t * (2 * t + 7) - t * (t - 1) * (2 * t + 5)
        count = j + 1
        variance = (count * (count - 1) * (2 * count + 5) - tie_sum) / 18
        is_known = count >= FEWEST_POINTS and s > 0 and variance > 0
        out.append(0.5 * math.erfc((s - 1) / math.sqrt(variance) / math.sqrt(2)) if is_known else 1.0)
    return out


def mann_kendall(values: Sequence[float]) -> float:
    """Of the whole series; 1 for a constant one."""
    return mann_kendall_by_length(values)[-1] if values else 1.0


def slope_score_by_length(times: Sequence[float], values: Sequence[float]) -> List[float]:
    return [slope_score(times[:count], values[:count]) for count in range(1, len(times) + 1)]


def alarm_since(times: Sequence[float], is_alarmed: Sequence[bool]) -> Optional[float]:
    """When an alarm first goes off that stays on until the end; None: it is off at the end."""
    since = None
    for time, alarmed in zip(times, is_alarmed):
        since = (since if since is not None else time) if alarmed else None
    return since


def summed(series: List[dict]) -> Tuple[List[float], List[float]]:
    """Several sites of one function as one series."""
    times = series[0]["times"]
    return times, [sum(each["bytes"][i] for each in series) for i in range(len(times))]
