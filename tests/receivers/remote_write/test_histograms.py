"""Native histograms: spans and deltas to absolute buckets, worked out by hand; what is refused."""

import math

import pytest

from swarmscope.model.staleness import STALE_BITS, STALE_NAN
from swarmscope.receivers.remote_write.schema import V1, V2

from .test_decode import UP, Symbols, WriteRequest, add_v1, decode


def decode_both(fill, **context):
    """The same histogram through both versions; what both gave must agree."""
    request, symbols = WriteRequest(), Symbols()
    fill(add_v1(request, UP).histograms.add(timestamp=1000))
    fill(symbols.add(UP).histograms.add(timestamp=1000))
    one, two = decode(request, V1, **context), decode(symbols.request, V2, **context)
    assert one.refusals.by_reason == two.refusals.by_reason
    assert sides(one.batch.histograms) == sides(two.batch.histograms)
    return one


def sides(histograms):
    return [
        (side.offsets.tolist(), side.index.tolist(), side.count.tolist())
        for side in (histograms.positive, histograms.negative)
    ]


def integer(histogram):
    """Buckets -2: 1, -1: 5, 3: 2, 4: 4 and, negative, 0: 3; zero bucket 7: 22 in all."""
    histogram.schema, histogram.sum, histogram.count_int = 3, 18.4, 22
    histogram.zero_threshold, histogram.zero_count_int = 1e-128, 7
    histogram.positive_spans.add(offset=-2, length=2)
    histogram.positive_spans.add(offset=3, length=2)
    histogram.positive_deltas.extend((1, 4, -3, 2))
    histogram.negative_spans.add(offset=0, length=1)
    histogram.negative_deltas.append(3)
    histogram.reset_hint = 2


def test_integer_histogram():
    found = decode_both(integer).batch.histograms
    assert sides(found) == [([0, 4], [-2, -1, 3, 4], [1, 5, 2, 4]), ([0, 1], [0], [3])]
    assert (found.series[0], found.ts_ms[0], found.schema[0], found.reset_hint[0]) == (0, 1000, 3, 2)
    assert (found.zero_threshold[0], found.zero_count[0], found.count[0], found.sum[0]) == (1e-128, 7, 22, 18.4)
    assert not found.is_float[0]


def test_float_histogram():
    def fill(histogram):
        histogram.schema, histogram.sum, histogram.count_float, histogram.zero_count_float = -4, 3.5, 8.75, 0.25
        histogram.positive_spans.add(offset=1, length=3)
        histogram.positive_counts.extend((1.5, 0.0, 7.0))
        histogram.reset_hint = 3

    found = decode_both(fill).batch.histograms
    assert sides(found)[0] == ([0, 2], [1, 3], [1.5, 7.0])  # the empty bucket 2 is left out
    assert found.is_float[0]
    assert (found.schema[0], found.zero_count[0], found.count[0], found.reset_hint[0]) == (-4, 0.25, 8.75, 3)


def test_custom_bounds():
    def fill(histogram):
        histogram.schema, histogram.sum, histogram.count_int = -53, 9.0, 6
        histogram.custom_values.extend((0.5, 1.0, 5.0))
        histogram.positive_spans.add(offset=1, length=1)
        histogram.positive_spans.add(offset=1, length=1)
        histogram.positive_deltas.extend((4, -2))

    found = decode_both(fill).batch.histograms
    assert sides(found)[0] == ([0, 2], [1, 3], [4, 2])  # (0.5, 1] and (5, +Inf)
    assert found.custom_bounds.tolist() == [0.5, 1.0, 5.0]
    assert found.custom_offsets.tolist() == [0, 3]
    assert found.schema[0] == -53


def test_a_resolution_above_8_is_reduced_to_8():
    # Schema 10 has four buckets where 8 has one. Bucket i ends at 2**(i/1024): 1..4 become 1, 5..8 become 2,
    # -3..0 become 0, -4 becomes -1.
    def fill(histogram):
        histogram.schema, histogram.sum, histogram.count_int = 10, 1.0, 21
        histogram.positive_spans.add(offset=-4, length=10)
        histogram.positive_deltas.extend((1, 0, 0, 0, 0, 2, 0, 0, 0, 1))  # -4..0: 1 each, 1..4: 3 each, 5: 4

    found = decode_both(fill).batch.histograms
    assert sides(found)[0] == ([0, 4], [-1, 0, 1, 2], [1, 4, 12, 4])
    assert found.schema[0] == 8


def test_a_staleness_marker_is_kept_by_its_bits():
    def fill(histogram):
        histogram.sum = float(STALE_NAN)

    found = decode_both(fill).batch.histograms
    assert found.sum.view("u8").tolist() == [STALE_BITS]
    assert sides(found) == [([0, 0], [], []), ([0, 0], [], [])]


def test_observed_nans_may_make_the_count_larger():
    def fill(histogram):
        integer(histogram)
        histogram.sum, histogram.count_int = math.nan, 25

    assert decode_both(fill).batch.histograms.count.tolist() == [25]


def broken(**changes):
    def fill(histogram):
        integer(histogram)
        for name, value in changes.items():
            field = getattr(histogram, name)
            if isinstance(value, (int, float)):
                setattr(histogram, name, value)
            elif name.endswith("spans"):
                for offset, length in value:
                    field.add(offset=offset, length=length)
            else:
                field.extend(value)

    return fill


@pytest.mark.parametrize(
    ("fill", "reason"),
    [
        (broken(schema=53), "schema is not known"),
        (broken(schema=-5), "schema is not known"),
        (broken(positive_deltas=[1]), "spans and buckets differ"),
        (broken(positive_spans=[(0, 2**31)]), "spans and buckets differ"),
        (broken(positive_spans=[(0, 1)], positive_deltas=[-9]), "negative population"),
        (broken(positive_spans=[(-1, 1)], positive_deltas=[0]), "negative offset"),
        (broken(positive_spans=[(2**31 - 1, 1)], positive_deltas=[0]), "out of range"),
        (broken(count_int=23), "count is not the sum"),
        (broken(schema=-53, custom_values=[1.0, 1.0]), "bounds do not ascend"),
        (broken(schema=-53, custom_values=[1.0, math.inf]), "bounds do not ascend"),
        (broken(schema=-53, custom_values=[1.0, 2.0]), "index is out of range"),
    ],
)
def test_impossible_histograms_are_refused_by_name(fill, reason):
    decoded = decode_both(fill)
    assert len(decoded.batch.histograms) == 0
    ((found, refusal),) = decoded.refusals.by_reason.items()
    assert reason in found
    assert (refusal.count, refusal.noun) == (1, "histograms")


def test_custom_bounds_have_no_zero_bucket():
    def fill(histogram):
        histogram.schema, histogram.count_int, histogram.zero_count_int = -53, 1, 1

    ((reason, _),) = decode_both(fill).refusals.by_reason.items()
    assert "zero bucket" in reason


def test_good_ones_stay_where_others_are_refused():
    request = WriteRequest()
    for number, fill in enumerate((integer, broken(schema=99), broken(positive_deltas=[1]), integer)):
        fill(add_v1(request, [("__name__", f"m{number}")], (1, 1.0)).histograms.add(timestamp=number))
    fill(add_v1(request, [("", "no")]).histograms.add(timestamp=9))
    batch = decode(request).batch
    assert batch.histograms.ts_ms.tolist() == [0, 3]
    assert batch.histograms.series.tolist() == [0, 3]
    assert sides(batch.histograms)[0] == ([0, 4, 8], [-2, -1, 3, 4] * 2, [1, 5, 2, 4] * 2)
