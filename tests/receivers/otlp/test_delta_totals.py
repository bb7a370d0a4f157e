from __future__ import annotations

import numpy as np

from swarmscope.receivers.otlp.delta_totals import ACCEPTED, OLDER_START, OUT_OF_ORDER, DeltaSamples, DeltaTotals


def samples(*rows: tuple[int, int, int, float]) -> DeltaSamples:
    """Rows of key, time, start, value."""
    key, time, start, value = zip(*rows, strict=True)
    return DeltaSamples(
        np.array(key, np.uint64), np.array(time, np.uint64), np.array(start, np.uint64), np.array(value, np.float64)
    )


def test_totals_and_verdicts() -> None:
    totals = DeltaTotals(100, 300)
    batch = samples(
        (2, 10, 5, 1.0), (4, 10, 5, 7.0), (2, 20, 10, 2.0), (2, 20, 10, 9.0), (2, 30, 4, 9.0), (2, 40, 35, 1)
    )
    verdict, undo = totals.add(batch, 0)
    assert verdict.tolist() == [ACCEPTED, ACCEPTED, ACCEPTED, OUT_OF_ORDER, OLDER_START, ACCEPTED]
    assert batch.value.tolist() == [1.0, 7.0, 3.0, 9.0, 9.0, 4.0]
    assert len(totals) == 2
    totals.take_back(undo)
    again = samples((2, 10, 5, 1.0))
    assert totals.add(again, 0)[0].tolist() == [ACCEPTED]
    assert again.value.tolist() == [1.0]


def test_stale_totals_begin_anew() -> None:
    totals = DeltaTotals(100, 300)
    totals.add(samples((2, 10, 0, 5.0)), 0)
    late = samples((2, 20, 0, 1.0))
    totals.add(late, 299)
    assert late.value.tolist() == [6.0]
    later = samples((2, 30, 0, 1.0))
    totals.add(later, 700)
    assert later.value.tolist() == [1.0]
    assert len(totals) == 1


def test_growth_keeps_every_total() -> None:
    totals = DeltaTotals(1_000_000, 300)
    keys = np.random.default_rng(1).integers(1, 1 << 63, 20_000, dtype=np.uint64) * np.uint64(2)
    for step in range(1, 4):
        batch = DeltaSamples(
            keys, np.full(len(keys), step, np.uint64), np.zeros(len(keys), np.uint64), np.arange(len(keys), dtype=float)
        )
        totals.add(batch, step)
        assert np.array_equal(batch.value, step * np.arange(len(keys), dtype=float))
    assert len(totals) == len(keys)


def test_the_bound_holds_and_the_oldest_go() -> None:
    totals = DeltaTotals(5_000, 10_000)
    for second in range(40):
        totals.add(samples(*((second * 2000 + 2 * k + 2, 1, 0, 1.0) for k in range(1000))), second)
        assert len(totals) <= 5_000
    fresh = samples((39 * 2000 + 2, 2, 0, 1.0), (2, 2, 0, 1.0))
    totals.add(fresh, 40)
    assert fresh.value.tolist() == [2.0, 1.0]  # the newest is still known, the oldest was forgotten
