"""Samples for the comparison, off the steps' grid: where 2.42's windows are closed and 3.x's left-open, nothing lies.

Counters begin high, so that the extrapolation to zero (whose order of tests changed between the versions) never acts.
"""

from __future__ import annotations

import random

START_MS = 1_600_000_000_000
Samples = list[tuple[int, float]]


def make_series() -> list[tuple[dict[str, str], Samples]]:
    dice = random.Random(4)
    series = []

    def times(count: int = 80) -> list[int]:
        phase = dice.randrange(1, 9_999)
        return [START_MS + k * 15_000 + phase + dice.randrange(0, 400) for k in range(count)]

    for i in range(4):
        for code in ("200", "404", "500"):
            value, samples = 1e6 + i, []
            for ts in times():
                value = dice.uniform(0, 5) + 1e6 if dice.random() < 0.01 else value + dice.uniform(0, 9)
                samples.append((ts, value))
            labels = {"__name__": "reqs_total", "job": "ab"[i % 2], "i": str(i), "code": code}
            series.append((labels, samples))
    for room in range(3):
        labels = {"__name__": "temp", "room": f"r{room}", "job": "abc"[room]}
        series.append((labels, [(ts, dice.gauss(20, 8)) for ts in times()]))
    for k, le in enumerate(("0.1", "0.5", "1", "5", "+Inf")):
        total, samples = 1e6 * (k + 1), []
        for ts in [START_MS + n * 15_000 + 777 for n in range(80)]:
            total += 3 * (k + 1) + (ts // 1000) % 4
            samples.append((ts, total))
        series.append(({"__name__": "lat_bucket", "le": le, "job": "a"}, samples))
    for i in range(3):
        points = [(ts, float(dice.randrange(-3, 9))) for ts in times() if dice.random() < 0.4]
        series.append(({"__name__": "gappy", "i": str(i), "job": "b"}, points))
    for job, version in (("a", "v1"), ("b", "v2")):
        series.append(({"__name__": "build_info", "job": job, "version": version}, [(ts, 1.0) for ts in times()]))
    return series
