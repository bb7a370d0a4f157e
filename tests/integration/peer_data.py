"""Samples for the comparison with Prometheus: every kind of series that a rule of PromQL looks at.

Each sample lies 100 to 240 ms after a whole second. The generated queries use whole and half seconds (and 37 ms more),
so no sample is ever on the left end of a window, where 2.42 is closed and 3.x open; `SPECIAL_SERIES` are for that.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable

TENANT = "peer"
START_S = 1_600_000_000 // 3600 * 3600
N_SCRAPES = 480
SCRAPE_S = 15
END_S = START_S + N_SCRAPES * SCRAPE_S

Samples = list[tuple[int, float]]
LabelledSamples = tuple[dict[str, str], Samples]
STALE: float = struct.unpack("<d", (0x7FF0000000000002).to_bytes(8, "little"))[0]
BUCKETS = ("0.05", "0.1", "0.5", "1", "5", "+Inf")
QUEUES = ("naïve", "日本語", 'quote"d', "back\\slash", "🙂 x", "Ω", "a", "A")


class SeriesMaker:
    """Series from a fixed seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def times(self, first: int = 0, last: int = N_SCRAPES, every_s: int = SCRAPE_S) -> list[int]:
        """Milliseconds, in scrapes of `every_s` with their own phase; none on a whole second."""
        phase_s = self._dice.randrange(every_s)
        return [
            (START_S + k * every_s + phase_s) * 1000 + self._dice.randrange(100, 240)
            for k in range(first * SCRAPE_S // every_s, last * SCRAPE_S // every_s)
        ]

    def counter(self, times: Iterable[int], start: float, reset_chance: float = 0.0, whole: bool = False) -> Samples:
        value, samples = start, []
        for ts in times:
            step = self._dice.randrange(0, 12) if whole else self._dice.uniform(0, 9)
            value = start / 2 if self._dice.random() < reset_chance else value + step
            samples.append((ts, float(value)))
        return samples

    def gauge(self, times: Iterable[int], mean: float, spread: float) -> Samples:
        return [(ts, self._dice.gauss(mean, spread)) for ts in times]

    def whole_gauge(self, times: Iterable[int], low: int, high: int) -> Samples:
        return [(ts, float(self._dice.randrange(low, high))) for ts in times]

    def thinned(self, samples: Samples, share: float) -> Samples:
        return [sample for sample in samples if self._dice.random() < share]

    def odd_values(self, times: Iterable[int], odd: tuple[float, ...]) -> Samples:
        return [(ts, self._dice.choice((*odd, 1.5, -2.0))) for ts in times]


def _without(samples: Samples, first: int, last: int) -> Samples:
    low, high = (START_S + first * SCRAPE_S) * 1000, (START_S + last * SCRAPE_S) * 1000
    return [(ts, value) for ts, value in samples if not low <= ts < high]


def _with_staleness(samples: Samples, every: int) -> Samples:
    """Every so often a marker and then a pause."""
    return [
        (ts, STALE if k % every == every // 2 else value)
        for k, (ts, value) in enumerate(samples)
        if not every // 2 < k % every < every // 2 + 4
    ]


def _plain(make: SeriesMaker) -> list[LabelledSamples]:
    series: list[LabelledSamples] = []
    for n, (job, instance, code) in enumerate(
        (job, instance, code) for job in ("api", "web") for instance in "012" for code in ("200", "404", "500")
    ):
        labels = {"__name__": "http_requests_total", "job": job, "instance": instance, "code": code}
        series.append((labels, make.counter(make.times(), 1e6 + n, reset_chance=0.004)))
    for room in range(4):
        labels = {"__name__": "temperature", "room": f"r{room}", "job": ("api", "web", "db", "web")[room]}
        series.append((labels, make.gauge(make.times(every_s=(15, 30, 60, 15)[room]), (20, -5, 0, 1e9)[room], 8)))
    for queue in QUEUES:
        labels = {"__name__": "queue_length", "queue": queue, "job": "web"}
        series.append((labels, make.whole_gauge(make.times(), -3, 9)))
    for job, version in (("api", "v1"), ("web", "v2")):
        series.append(({"__name__": "build_info", "job": job, "version": version}, [(ts, 1.0) for ts in make.times()]))
    for name in ("dup_a", "dup_b"):
        series.append(({"__name__": name, "job": "api", "n": "1"}, make.whole_gauge(make.times(0, 200), 0, 5)))
    series.append(({"__name__": "dup_a", "job": "web", "n": "1"}, make.whole_gauge(make.times(200), 0, 5)))
    series.append(({"__name__": "constant", "job": "api"}, [(ts, 42.0) for ts in make.times()]))
    series.append(({"__name__": "unix_time", "job": "api"}, [(ts, ts * 40.0 / 1000 - 5e10) for ts in make.times()]))
    series.append(({"__name__": "tiny", "job": "api"}, [(ts, v * 1e-9) for ts, v in make.gauge(make.times(), 0, 3)]))
    return series


def _interrupted(make: SeriesMaker) -> list[LabelledSamples]:
    series: list[LabelledSamples] = []
    for i, share in enumerate((0.7, 0.4, 0.1)):
        samples = make.thinned(make.whole_gauge(make.times(), -3, 9), share)
        series.append(({"__name__": "gappy", "i": str(i), "job": "web"}, _without(samples, 100 + i * 40, 160 + i * 50)))
    for i, every in enumerate((20, 50, 90)):
        samples = _with_staleness(make.gauge(make.times(), 50, 20), every)
        series.append(({"__name__": "stale", "i": str(i), "job": "api"}, samples))
    for i, (first, last) in enumerate(((60, 480), (200, 320), (400, 480), (0, 90))):
        labels = {"__name__": "late_total", "i": str(i), "job": "api"}
        series.append((labels, make.counter(make.times(first, last), 0 if i % 2 else 5e5, whole=True)))
    for kind, odd in (
        ("nan", (math.nan,)), ("inf", (math.inf,)), ("ninf", (-math.inf,)), ("mixed", (math.nan, math.inf, -math.inf)),
        ("zero", (0.0, -0.0)), ("small", (1e-308, 5e-324)),
    ):  # fmt: skip
        series.append(({"__name__": "odd", "kind": kind, "job": "db"}, make.odd_values(make.times(), odd)))
    return series


def _histograms(make: SeriesMaker) -> list[LabelledSamples]:
    series: list[LabelledSamples] = []
    for job in ("api", "web"):
        times = make.times()
        growths = [[make.counter(times, 0, whole=True)[k][1] for k in range(len(times))] for _ in BUCKETS]
        for b, le in enumerate(BUCKETS):
            total = [1e6 * (b + 1) + sum(growths[c][k] for c in range(b + 1)) for k in range(len(times))]
            series.append(({"__name__": "latency_bucket", "job": job, "le": le}, list(zip(times, total, strict=True))))
        series.append(({"__name__": "latency_count", "job": job}, list(zip(times, total, strict=True))))
        series.append(({"__name__": "latency_sum", "job": job}, make.counter(times, 5e5)))
    # Cumulative counts that fall, a missing +Inf, negative bounds, and two spellings of one bound.
    for name, bounds in (
        ("unsteady_bucket", ("1", "2", "4", "+Inf")),
        ("open_bucket", ("1", "2", "4")),
        ("signed_bucket", ("-2", "-1", "1", "+Inf")),
        ("doubled_bucket", ("1", "1.0", "5", "+Inf")),
    ):
        times = make.times()
        for b, le in enumerate(bounds):
            samples = [(ts, value + 5.0 * b) for ts, value in make.whole_gauge(times, 0, 8)]
            series.append(({"__name__": name, "le": le, "job": "db"}, samples))
    return series


def peer_series() -> list[LabelledSamples]:
    """All series of the generated queries."""
    make = SeriesMaker(11)
    return _plain(make) + _interrupted(make) + _histograms(make)


# Exactly on whole minutes and in other ways special, for the listed differences.
SPECIAL_SERIES: list[LabelledSamples] = [
    ({"__name__": "on_the_minute", "job": "api"}, [((START_S + 60 * k) * 1000, float(k * k)) for k in range(100)]),
    ({"__name__": "lines", "text": "one\ntwo"}, [((START_S + 60 * k) * 1000, 1.0) for k in range(100)]),
    (
        {"__name__": "enormous"},
        [((START_S + 15 * k) * 1000 + 500, (-1e308, 1.5, 1e308, 1.5)[k % 4]) for k in range(40)],
    ),
    # A counter that is scraped again after a pause and begins low.
    (
        {"__name__": "resumed_total"},
        [((START_S + 15 * k) * 1000 + 500, 14.0 + 20 * (k - 8)) for k in range(8, 24)],
    ),
]
