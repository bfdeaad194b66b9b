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


def mann_kendall(values: Sequence[float]) -> float:
    """One-sided p of "no upward trend", with the variance corrected for ties; 1 for a constant or short series."""
    count = len(values)
    if count < FEWEST_POINTS:
        return 1.0
    s = sum((values[j] > values[i]) - (values[j] < values[i]) for i in range(count) for j in range(i + 1, count))
    ties = {}
    for value in values:
        ties[value] = ties.get(value, 0) + 1
    variance = (count * (count - 1) * (2 * count + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties.values())) / 18
    if s <= 0 or variance <= 0:
        return 1.0
    return 0.5 * math.erfc((s - 1) / math.sqrt(variance) / math.sqrt(2))


def first_time(times: Sequence[float], values: Sequence[float], is_alarmed) -> Optional[float]:
    """When an alarm that looks at every point first goes off and stays on until the end; None: it is off at the end."""
    since = None
    for count in range(FEWEST_POINTS, len(times) + 1):
        if is_alarmed(times[:count], values[:count]):
            since = since if since is not None else times[count - 1]
        else:
            since = None
    return since


def summed(series: List[dict]) -> Tuple[List[float], List[float]]:
    """Several sites of one function as one series."""
    times = series[0]["times"]
    return times, [sum(each["bytes"][i] for each in series) for i in range(len(times))]
