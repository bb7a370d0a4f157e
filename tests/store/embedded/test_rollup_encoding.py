"""Stored buckets, whatever the samples are, against the definition of a bucket worked out in fractions."""

import itertools
import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from swarmscope.model.series import NOT_STALE
from swarmscope.model.staleness import STALE_NAN
from swarmscope.schema.rollups import FIVE_MINUTES_MS, ONE_HOUR_MS, rollup_name
from swarmscope.schema.tables import RAW_EXPONENT
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from tests.portion import portion

from .conftest import ALL_TIME, SystemClock, batch_of, budget
from .test_rollups import DAY, roll, settle

RESOLUTIONS = [FIVE_MINUTES_MS, ONE_HOUR_MS]
STEP_MS = 50_000
STALE = "stale"


def bits(value):
    return struct.pack("<d", value)


def samples_of(values, labels, step_ms=STEP_MS):
    """Values one step apart; None is a gap, STALE a marker."""
    shown = [(i, STALE_NAN if value is STALE else value) for i, value in enumerate(values) if value is not None]
    return [(labels, (i + 1) * step_ms, value) for i, value in shown]


def stored_rows(store, resolution):
    """[{bucket: (count, total, minimum, maximum, (first), (last), increase, stale)}] by series, from rollups alone."""
    store.engine.execute("TRUNCATE TABLE samples")
    store.forget_cache()
    selection = store.reader.select_series("default", [], *ALL_TIME)
    columns = store.reader.read_rollups(selection, resolution, DAY, budget())
    fields = (
        columns.count, columns.total, columns.minimum, columns.maximum, columns.first_ts_ms, columns.first,
        columns.last_ts_ms, columns.last, columns.increase, columns.stale_ts_ms,
    )  # fmt: skip
    out = {}
    for p in range(len(selection.refs)):
        name = next(n for n in range(len(selection.labels.names)) if selection.labels.names[n] == "i")
        key = store.reader.symbols.text(int(selection.labels.codes[name, p]))
        rows = range(columns.offsets[p], columns.offsets[p + 1])
        out[key] = {int(columns.bucket_ms[i]): tuple(field[i].item() for field in fields) for i in rows}
    return out


def is_marker(value):
    return bits(value) == bits(float(STALE_NAN))


def exact_sum(values):
    """Rounded once; not finite unless all values are."""
    return float(sum(map(Fraction, values))) if all(map(math.isfinite, values)) else math.nan


def expected_row(rows):
    """The fields of `stored_rows` from the (time, value) pairs of one bucket."""
    markers = [ts for ts, value in rows if is_marker(value)]
    rows = [row for row in rows if not is_marker(row[1])]
    stale = max(markers, default=NOT_STALE)
    if not rows:
        return (0, *[None] * 8, stale)
    values = [value for _, value in rows]
    numbers = [value for value in values if not math.isnan(value)] or [math.nan]
    steps = [b - a if b >= a else b for a, b in zip(values, values[1:], strict=False)]
    return (
        len(rows), exact_sum(values), min(numbers), max(numbers), rows[0][0], values[0], rows[-1][0], values[-1],
        exact_sum(steps), stale,
    )  # fmt: skip


def expected_rows(samples, resolution):
    buckets = {}
    for _, ts, value in samples:
        buckets.setdefault(math.ceil(ts / resolution) * resolution, []).append((ts, float(value)))
    return {bucket: (expected_row(rows), [value for _, value in rows]) for bucket, rows in buckets.items()}


def assert_rows(found, samples, resolution):
    """Times, counts and single values bit for bit; sums within the rounding of their terms."""
    truth = expected_rows(samples, resolution)
    assert found.keys() == truth.keys()
    for bucket, (wanted, values) in truth.items():
        row = found[bucket]
        assert row[0] == wanted[0]
        assert row[9] == wanted[9]
        if wanted[0] == 0:
            continue
        assert (row[4], row[6]) == (wanted[4], wanted[6])
        assert (bits(row[5]), bits(row[7])) == (bits(wanted[5]), bits(wanted[7]))
        np.testing.assert_array_equal(row[2:4], wanted[2:4])
        finite = [abs(value) for value in values if math.isfinite(value)]
        rounding = 4e-16 * len(values) * max(finite, default=0.0)
        for sum_found, sum_wanted in ((row[1], wanted[1]), (row[8], wanted[8])):
            if math.isfinite(sum_wanted):
                assert sum_found == pytest.approx(sum_wanted, rel=1e-15, abs=rounding)
            else:
                # A compensated sum makes NaN of an infinity; who needs to know which reads the samples.
                assert not math.isfinite(sum_found)


def write_and_roll(store, series):
    """`series`: {value of label i: values}; returns the samples of each."""
    samples = {key: samples_of(values, {"__name__": "m", "i": key}) for key, values in series.items()}
    store.sink.write_metrics(batch_of([row for rows in samples.values() for row in rows]))
    roll(store)
    settle(store)
    return samples


def exponents(store, resolution):
    sql = f"SELECT DISTINCT exponent FROM {rollup_name(resolution)} FINAL WHERE count > 0 ORDER BY exponent"
    return store.engine.columns(sql)["exponent"].tolist()


NAMED = {
    "integers": [1, 2, 3, 4, 5, 6] * 16,
    "0 to 3 digits in a bucket": [7.0, 7.5, 7.25, 7.125, 8.0, 0.001, 12.5] * 14,
    "digits differ from bucket to bucket": [1.0] * 6 + [1.5] * 6 + [1.125] * 6 + [2.0] * 6,
    "no decimals": [math.pi, math.e, math.sqrt(2), 1 / 3] * 24,
    "one raw value in an hour": [3.0] * 40 + [math.sqrt(2)] + [4.0] * 55,
    "near 2**53": [2.0**53 - 1, 2.0**53 - 2, -(2.0**53 - 1), 5.0] * 24,
    "beyond 2**53": [2.0**53, 2.0**53 + 2, 2.0**60, 1e300, 1.0] * 18,
    "large ones next to decimals": [2.0**53 - 1, 0.125, 9e14, 0.001] * 24,
    "large and small in different buckets of an hour": [2.0**53 - 1] * 6 + [0.125] * 6,
    "negatives": [-1.0, -2.5, 3.25, -100.125, 0.0] * 18,
    "minus zero": [-0.0, 0.0, 1.0, -0.0] * 24,
    "NaN and infinities": [1.0, math.nan, 2.0, math.inf, 3.0, -math.inf] * 4 + [math.nan] * 6 + [math.inf] * 6,
    "resets on the borders": [float(10 * (i % 6) + i % 6) for i in range(96)],
    "a reset on each hour's border": [float(i % 72) for i in range(150)],
    "gaps and markers": [1.0, None, STALE, 2.0, *[None] * 10, STALE, *[None] * 12, *[STALE] * 3, 0.5, STALE],
    "markers alone": [STALE, *[None] * 80, STALE, STALE],
}  # fmt: skip


@pytest.fixture(scope="module")
def named_store(tmp_path_factory):
    store = EmbeddedStore(StoreSettings(tmp_path_factory.mktemp("named"), metrics_retention_s=None), SystemClock())
    samples = write_and_roll(store, NAMED)
    found = {resolution: stored_rows(store, resolution) for resolution in RESOLUTIONS}
    # One process opens one folder at a time, and other tests open theirs.
    store.close()
    return samples, found


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("name", NAMED)
def test_stored_buckets_are_what_samples_make(named_store, name, resolution):
    samples, found = named_store
    assert_rows(found[resolution][name], samples[name], resolution)


@pytest.mark.parametrize(
    ("values", "of_5_minutes", "of_an_hour"),
    [
        ([1.0, 2.0], [0], [0]),
        ([1.0, 2.5, 2.125], [-3], [-3]),
        ([1.0] * 6 + [2.5] * 6, [-1, 0], [-1]),
        ([1.0] * 6 + [math.sqrt(2)] * 6, [0, RAW_EXPONENT], [RAW_EXPONENT]),
        ([2.0**53 - 1] * 6 + [0.5] * 6, [-1, 0], [RAW_EXPONENT]),
        ([2.0**53 - 1, 0.5], [RAW_EXPONENT], [RAW_EXPONENT]),
    ],
)
def test_the_scale_of_a_row_is_the_finest_of_its_samples(store, values, of_5_minutes, of_an_hour):
    write_and_roll(store, {"a": values})
    assert exponents(store, FIVE_MINUTES_MS) == of_5_minutes
    assert exponents(store, ONE_HOUR_MS) == of_an_hour


def test_decimals_add_up_without_error(store):
    write_and_roll(store, {"a": [0.1] * 72})
    assert [row[1] for row in stored_rows(store, ONE_HOUR_MS)["a"].values()] == [7.2]


decimals = st.builds(lambda whole, digits: whole / 10**digits, st.integers(-(10**9), 10**9), st.integers(0, 3))
anything = st.one_of(
    decimals,
    st.integers(-(2**53), 2**53).map(float),
    st.floats(width=64, allow_nan=False, min_value=-1e290, max_value=1e290),
    st.sampled_from([math.nan, math.inf, -math.inf, -0.0, STALE, None]),
)
lists = st.one_of(st.lists(decimals, max_size=90), st.lists(anything, max_size=90))


examples = itertools.count()


@settings(max_examples=portion(40, 12), deadline=None, suppress_health_check=list(HealthCheck))
@given(series=st.lists(lists, min_size=1, max_size=12))
@example(series=[[0.001, 2.0**53 - 1], [1.0, 0.5], []])
def test_any_samples(store, series):
    number = next(examples)
    named = {f"{number}-{i}": values for i, values in enumerate(series) if any(v is not None for v in values)}
    if not named:
        return
    samples = write_and_roll(store, named)
    for resolution in RESOLUTIONS:
        found = stored_rows(store, resolution)
        for key, rows in samples.items():
            assert_rows(found[key], rows, resolution)
