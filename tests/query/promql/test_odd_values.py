"""NaN and infinities in samples: the answers of Debian's Prometheus 2.42."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

from swarmscope.query.promql import PromqlEngine
from swarmscope.query.promql.memory_reader import MemoryReader
from tests.query.promql.peer import running_prometheus
from tests.query.promql.peer_data import START_MS
from tests.query.promql.test_differential import _compare

pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus on this machine"),
]

_OVER_TIME = ("avg", "sum", "min", "max", "count", "last", "stddev", "stdvar", "present")
_RANGED = ("rate", "increase", "delta", "irate", "idelta", "deriv", "changes", "resets")
_AGGREGATES = ("sum", "avg", "min", "max", "count", "stddev", "stdvar", "group")
_QUANTILES = ("0", "0.3", "0.5", "0.95", "1", "-1", "2", "NaN")
QUERIES = (
    *(f"{name}_over_time(odd[5m])" for name in _OVER_TIME),
    *(f"{name}(odd[5m])" for name in _RANGED),
    *(f"quantile_over_time({q}, odd[5m])" for q in _QUANTILES),
    *(f"{name}{by} (odd)" for name in _AGGREGATES for by in ("", " by (job)")),
    *(f"quantile by (job) ({q}, odd)" for q in _QUANTILES),
    "topk(2, odd)", "bottomk(2, odd)", "sort(odd)", "predict_linear(odd[5m], 60)", "odd > 0", "odd == odd",
    "odd != odd", "odd % 2", "odd ^ 0.5", "clamp(odd, -1, 1)", "round(odd)", "sgn(odd)", "abs(odd)", "-odd",
    'scalar(odd{i="4"})', "vector(NaN)", 'count_values("v", round(odd))', "odd > bool NaN", "1 / 0", "0 / 0",
)  # fmt: skip


def odd_series() -> list[tuple[dict[str, str], list[tuple[int, float]]]]:
    """Six series: numbers alone, some NaN, many NaN, infinities of both signs, nearly all NaN, all NaN."""
    random = np.random.default_rng(3)
    series = []
    for k, (share, odd) in enumerate(
        ((0.0, 0.0), (0.1, math.nan), (0.3, math.nan), (0.1, math.inf), (0.9, math.nan), (1.0, math.nan))
    ):
        values = random.normal(size=85)
        values[random.random(85) < share] = odd
        if odd == math.inf:
            values[random.random(85) < 0.05] = -math.inf
        labels = {"__name__": "odd", "i": str(k), "job": "ab"[k % 2]}
        series.append((labels, [(START_MS + j * 15_000, float(v)) for j, v in enumerate(values)]))
    return series


def test_odd_values(tmp_path) -> None:
    reader = MemoryReader()
    for labels, samples in odd_series():
        reader.add(labels, samples)
    with running_prometheus(tmp_path) as peer:
        peer.write(odd_series())
        engine = PromqlEngine(reader)
        wrong = {
            (query, ranged): difference
            for query in QUERIES
            for ranged in (True, False)
            if (difference := _compare(engine, peer, query, ranged))
        }
    assert not wrong
