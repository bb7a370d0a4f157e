"""Range functions of histograms: by hand, and window by window against the slow reference."""

import random
from fractions import Fraction

import numpy as np
import pytest

from swarmscope.model.metrics import ResetHint
from swarmscope.query.histograms.annotations import HistogramNote
from swarmscope.query.histograms.range_functions import RangeInput, evaluate_range
from swarmscope.query.histograms.resets import detect_resets
from swarmscope.query.histograms.rows import from_columns
from swarmscope.query.histograms.transitions import count_changes, count_resets
from swarmscope.query.histograms.windows import latest_rows, window_bounds
from tests.query.histograms.reference import (
    CUSTOM,
    IncompatibleError,
    Slow,
    added,
    began_anew,
    coarser,
    equal,
    from_rows,
    grown,
    random_histogram,
    to_columns,
)

MINUTE = 60_000


def given(series, ends_ms, range_ms, floats=None):
    """`series` is a list of [(ts_ms, histogram)], `floats` of [ts_ms] for each series."""
    flat = [sample for one in series for sample in one]
    rows = from_columns(to_columns([h for _, h in flat]))
    floats = floats or [[] for _ in series]
    return RangeInput(
        rows,
        np.cumsum([0, *map(len, series)]),
        np.array([t for t, _ in flat], np.int64),
        np.cumsum([0, *map(len, floats)]),
        np.array([t for one in floats for t in one], np.int64),
        np.array(ends_ms, np.int64),
        range_ms,
    )


def counter(count, bucket=None, **more):
    return Slow(0, Fraction(count), Fraction(count), pos={1: Fraction(bucket if bucket is not None else count)}, **more)


def cell(result, series=0, step=0):
    at = result.matrix.cells[series, step]
    return None if at < 0 else from_rows(result.matrix.rows, at)


def test_increase_by_hand():
    # 10, 20, 40 at 1, 2, 3 minutes in (0, 4m]: 30 over 2 minutes, stretched by one minute on each side (at most 1.1
    # intervals away): but the counter would have been zero 10 / 30 * 2 minutes before the first sample.
    samples = [(k * MINUTE, counter(c)) for k, c in ((1, 10), (2, 20), (3, 40))]
    result = evaluate_range("increase", given([samples], [4 * MINUTE], 4 * MINUTE))
    made = cell(result)
    factor = (2 + 2 / 3 + 1) / 2
    assert float(made.count) == pytest.approx(30 * factor)
    assert float(made.pos[1]) == pytest.approx(30 * factor)
    assert made.hint == ResetHint.GAUGE
    assert result.notes.tolist() == [0]
    per_second = cell(evaluate_range("rate", given([samples], [4 * MINUTE], 4 * MINUTE)))
    assert float(per_second.count) == pytest.approx(30 * factor / 240)


def test_a_reset_adds_what_stood_before_it():
    # A drop of one bucket is a reset although the count rises.
    samples = [
        (0, counter(10)),
        (MINUTE, counter(20)),
        (2 * MINUTE, counter(25, bucket=5)),
        (3 * MINUTE, counter(30, 9)),
    ]
    result = evaluate_range("increase", given([samples], [3 * MINUTE], 3 * MINUTE + 1))
    made = cell(result)
    assert float(made.count) == pytest.approx(30 - 10 + 20, rel=1e-4)
    assert float(made.pos[1]) == pytest.approx(9 - 10 + 20, rel=1e-4)


def test_the_first_sample_is_ignored_if_a_reset_follows_it():
    odd = Slow(CUSTOM, Fraction(100), Fraction(1), pos={0: Fraction(100)}, custom=(1.0,))
    samples = [(0, odd), (MINUTE, counter(2)), (2 * MINUTE, counter(5))]
    result = evaluate_range("increase", given([samples], [2 * MINUTE], 2 * MINUTE + 1))
    assert float(cell(result).count) == pytest.approx(5, rel=1e-4)
    assert result.notes.tolist() == [0]
    # Without a reset in between, the mix is refused; delta looks at the first and last alone.
    result = evaluate_range("delta", given([samples], [2 * MINUTE], 2 * MINUTE + 1))
    assert cell(result) is None
    assert result.notes.tolist() == [HistogramNote.MIXED_SCHEMAS]


def test_floats_in_the_window_forbid_an_answer():
    samples = [(0, counter(1)), (MINUTE, counter(2))]
    for function in ("rate", "increase", "delta", "sum_over_time", "avg_over_time"):
        result = evaluate_range(function, given([samples], [MINUTE], 2 * MINUTE, [[30_000]]))
        assert cell(result) is None
        assert result.drops_float.tolist() == [[True]]
        assert result.notes.tolist() == [HistogramNote.MIXED_FLOATS]


@pytest.mark.parametrize(
    ("function", "hints", "note"),
    [
        ("rate", (ResetHint.UNKNOWN, ResetHint.GAUGE, ResetHint.UNKNOWN), HistogramNote.NOT_COUNTER),
        ("rate", (ResetHint.UNKNOWN,) * 3, 0),
        ("delta", (ResetHint.GAUGE,) * 3, 0),
        ("delta", (ResetHint.GAUGE, ResetHint.GAUGE, ResetHint.UNKNOWN), HistogramNote.NOT_GAUGE),
        ("irate", (ResetHint.GAUGE, ResetHint.UNKNOWN, ResetHint.UNKNOWN), 0),
        ("irate", (ResetHint.UNKNOWN, ResetHint.UNKNOWN, ResetHint.GAUGE), HistogramNote.NOT_COUNTER),
        ("idelta", (ResetHint.UNKNOWN, ResetHint.GAUGE, ResetHint.GAUGE), 0),
        ("idelta", (ResetHint.GAUGE, ResetHint.GAUGE, ResetHint.UNKNOWN), HistogramNote.NOT_GAUGE),
    ],
)
def test_unsuitable_flavours_are_remarked_upon(function, hints, note):
    samples = [(k * MINUTE, counter(k + 1, hint=int(hint))) for k, hint in enumerate(hints)]
    result = evaluate_range(function, given([samples], [2 * MINUTE], 3 * MINUTE))
    assert cell(result) is not None
    assert result.notes.tolist() == [note]


def test_irate_and_idelta_by_hand():
    samples = [(0, counter(5)), (MINUTE, counter(10)), (MINUTE + 30_000, counter(16))]
    assert float(cell(evaluate_range("irate", given([samples], [2 * MINUTE], 5 * MINUTE))).count) == pytest.approx(0.2)
    assert float(cell(evaluate_range("idelta", given([samples], [2 * MINUTE], 5 * MINUTE))).count) == 6
    # After a reset, irate counts from zero.
    samples[2] = (MINUTE + 30_000, counter(3))
    assert float(cell(evaluate_range("irate", given([samples], [2 * MINUTE], 5 * MINUTE))).count) == pytest.approx(0.1)
    assert float(cell(evaluate_range("idelta", given([samples], [2 * MINUTE], 5 * MINUTE))).count) == -7


@pytest.mark.parametrize(
    ("float_ms", "answered", "dropped", "note"),
    [
        ([1], True, True, 0),  # the float is older than both histograms
        ([MINUTE + 1], False, True, HistogramNote.MIXED_FLOATS),
        ([3 * MINUTE], False, True, HistogramNote.MIXED_FLOATS),
        ([3 * MINUTE, 3 * MINUTE + 1], False, False, 0),  # two floats are newest: the floats' answer stands
    ],
)
def test_instant_rates_look_at_the_newest_two_samples(float_ms, answered, dropped, note):
    samples = [(MINUTE, counter(5)), (2 * MINUTE, counter(10))]
    result = evaluate_range("irate", given([samples], [4 * MINUTE], 5 * MINUTE, [float_ms]))
    assert (cell(result) is not None) is answered
    assert result.drops_float.tolist() == [[dropped]]
    assert result.notes.tolist() == [note]


def test_first_and_last_choose_between_kinds_by_time():
    samples = [(MINUTE, counter(5)), (3 * MINUTE, counter(10))]
    for float_ms, last, first in (([2 * MINUTE], 10, 5), ([4 * MINUTE], None, 5), ([1], 10, None)):
        argument = given([samples], [5 * MINUTE], 10 * MINUTE, [float_ms])
        made = cell(evaluate_range("last_over_time", argument))
        assert (made.count if made else None) == last
        made = cell(evaluate_range("first_over_time", argument))
        assert (made.count if made else None) == first


def test_windows_are_open_on_the_left():
    windows = window_bounds(np.array([0, 3]), np.array([0, 10, 20]), np.array([0, 10, 25, 100]), 10)
    assert windows.first.tolist() == [[0, 1, 2, 3]]
    assert windows.past.tolist() == [[1, 2, 3, 3]]
    rows = latest_rows(np.array([0, 3, 3]), np.array([0, 10, 20]), np.array([5, 10, 20, 30]), 10)
    assert rows.tolist() == [[0, 1, 2, -1], [-1, -1, -1, -1]]


def expected_window(function, window, start_ms, end_ms):
    """The answer for one window of (ts_ms, histogram), or None; the rules of float counters, decided by the count."""
    if function in ("sum_over_time", "avg_over_time"):
        total = window[0][1]
        for _, h in window[1:]:
            total = added(total, h)
        return total.scaled(Fraction(1, len(window))) if function == "avg_over_time" else total
    if len(window) < 2:
        return None
    is_counter = function != "delta"
    histograms = [h for _, h in window]
    kept = histograms
    if is_counter and began_anew(histograms[0], histograms[1]):
        kept = histograms[1:]
    kinds = {h.schema == CUSTOM for h in (kept if is_counter else (histograms[0], histograms[-1]))}
    if len(kinds) > 1:
        raise IncompatibleError
    total = histograms[-1]
    if kinds == {False}:
        total = coarser(total, min(h.schema for h in (kept if is_counter else (histograms[0], histograms[-1]))))
    if len(kept) == len(histograms):
        total = added(total, histograms[0].scaled(Fraction(-1)))
    if is_counter:
        for before, now in zip(kept, kept[1:], strict=False):
            if began_anew(before, now):
                total = added(total, before)
    first_ms, last_ms = window[0][0], window[-1][0]
    sampled = Fraction(last_ms - first_ms)
    average = sampled / (len(window) - 1)
    to_start, to_end = Fraction(first_ms - start_ms), Fraction(end_ms - last_ms)
    if to_start >= average * Fraction(11, 10):
        to_start = average / 2
    if is_counter and total.count > 0 and histograms[0].count >= 0:
        to_start = min(to_start, sampled * histograms[0].count / total.count)
    if to_end >= average * Fraction(11, 10):
        to_end = average / 2
    factor = (sampled + to_start + to_end) / sampled
    return total.scaled(factor / (Fraction(end_ms - start_ms, 1000) if function == "rate" else 1))


def random_series(rng):
    """A counter with resets, layout changes and now and then another kind of buckets."""
    now, ts_ms, out = random_histogram(rng), 0, []
    for _ in range(rng.randint(1, 14)):
        ts_ms += rng.randint(5, 40) * 1000
        chance = rng.random()
        if chance < 0.12:
            now = random_histogram(rng, custom=now.schema == CUSTOM if rng.random() < 0.7 else None)
        elif chance < 0.2 and now.schema not in (CUSTOM, -1):
            now = coarser(now, now.schema - 1)
        else:
            now = grown(rng, now)
        now = now.copy()
        now.hint = rng.choice([0, 0, 0, 0, 1, 2])
        out.append((ts_ms, now))
    return out


@pytest.mark.parametrize("function", ["rate", "increase", "delta", "sum_over_time", "avg_over_time"])
def test_windows_agree_with_the_reference(function):
    rng = random.Random(len(function))
    series = [random_series(rng) for _ in range(40)]
    ends, range_ms = [60_000, 100_000, 100_000, 155_000, 240_000, 900_000], 120_000
    result = evaluate_range(function, given(series, ends, range_ms))
    n_answers = 0
    for s, samples in enumerate(series):
        for k, end in enumerate(ends):
            window = [(t, h) for t, h in samples if end - range_ms < t <= end]
            try:
                expected = expected_window(function, window, end - range_ms, end) if window else None
            except IncompatibleError:
                expected = None
                assert result.notes[s] & HistogramNote.MIXED_SCHEMAS
            made = cell(result, s, k)
            assert (made is None) == (expected is None), (function, s, k)
            if made is not None:
                n_answers += 1
                assert equal(made, expected, 1e-7), (function, s, k)
    assert n_answers > 40


def test_resets_agree_with_the_reference():
    rng = random.Random(5)
    series = [random_series(rng) for _ in range(150)]
    argument = given(series, [10**9], 10**9)
    found = detect_resets(argument.rows, argument.offsets).tolist()
    expected = [
        k > 0 and began_anew(samples[k - 1][1], samples[k][1]) for samples in series for k in range(len(samples))
    ]
    assert found == expected
    assert 50 < sum(expected) < len(expected) - 50
    counted = count_resets(argument, np.zeros(0))[:, 0]
    sums = [sum(began_anew(a[1], b[1]) for a, b in zip(one, one[1:], strict=False)) for one in series]
    assert counted.tolist() == sums


def test_changes_and_resets_of_mixed_series():
    # float 1, float 0, histogram, the same histogram as a gauge, another one, float 2, float NaN, float NaN
    gauge = counter(5, hint=int(ResetHint.GAUGE))
    samples = [(3, counter(5)), (4, gauge), (5, counter(7))]
    argument = given([samples, []], [8, 3, 100], 10, [[1, 2, 6, 7, 8], []])
    values = np.array([1.0, 0.0, 2.0, np.nan, np.nan])
    changes = count_changes(argument._replace(ends_ms=np.array([3, 8, 100])), values)
    assert changes[0].tolist()[:2] == [2, 5]
    assert np.isnan(changes[0, 2])
    assert np.isnan(changes[1]).all()
    resets = count_resets(argument._replace(ends_ms=np.array([3, 8, 100])), values)
    assert resets[0].tolist()[:2] == [2, 3]
