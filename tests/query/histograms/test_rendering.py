"""What a histogram looks like outside: the API's JSON, the text form; and the rows themselves."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.api.number_text import double_text
from swarmscope.lang.promql.go_numbers import json_number, text_number
from swarmscope.query.histograms.bounds import exponential_bound
from swarmscope.query.histograms.rendering import histogram_json, histogram_text
from swarmscope.query.histograms.rows import (
    concat_rows,
    from_columns,
    row_count,
    take_rows,
)
from swarmscope.query.histograms.warming import warm_up
from tests.query.histograms.reference import CUSTOM, Slow, from_rows, to_columns

FULL = Slow(
    0, Fraction(13), Fraction(-7, 2), 0.001, Fraction(3),
    {1: Fraction(4), 3: Fraction(1, 2)}, {0: Fraction(5), 2: Fraction(1)},
)  # fmt: skip


def test_json_of_all_kinds_of_buckets():
    assert histogram_json(from_columns(to_columns([FULL])), 0) == {
        "count": "13",
        "sum": "-3.5",
        "buckets": [
            [1, "-4", "-2", "1"],
            [1, "-1", "-0.5", "5"],
            [3, "-0.001", "0.001", "3"],
            [0, "1", "2", "4"],
            [0, "4", "8", "0.5"],
        ],
    }


def test_text_form():
    assert histogram_text(from_columns(to_columns([FULL])), 0) == (
        "{count:13, sum:-3.5, [-4,-2):1, [-1,-0.5):5, [-0.001,0.001]:3, (1,2]:4, (4,8]:0.5}"
    )
    assert histogram_text(from_columns(to_columns([Slow(count=Fraction(2_000_000))])), 0) == "{count:2e+06, sum:0}"


def test_custom_buckets():
    h = Slow(CUSTOM, Fraction(6), Fraction(9), pos={0: Fraction(1), 1: Fraction(2), 2: Fraction(3)}, custom=(5.0, 10.0))
    assert histogram_json(from_columns(to_columns([h])), 0)["buckets"] == [
        [3, "-Inf", "5", "1"],
        [0, "5", "10", "2"],
        [0, "10", "+Inf", "3"],
    ]


def test_no_buckets_no_key():
    assert histogram_json(from_columns(to_columns([Slow()])), 0) == {"count": "0", "sum": "0"}


def test_a_bucket_is_cut_at_the_zero_threshold():
    h = Slow(0, Fraction(3), Fraction(1), 0.75, Fraction(1), {0: Fraction(2)})
    assert histogram_json(from_columns(to_columns([h])), 0)["buckets"] == [
        [3, "-0.75", "0.75", "1"],
        [0, "0.75", "1", "2"],
    ]


@pytest.mark.parametrize(
    ("value", "in_json", "in_text"),
    [
        (0.0, "0", "0"),
        (-0.0, "-0", "-0"),
        (5.0, "5", "5"),
        (1.5, "1.5", "1.5"),
        (123456.0, "123456", "123456"),
        (1e6, "1000000", "1e+06"),
        (123456789.0, "123456789", "1.23456789e+08"),
        (1e20, "100000000000000000000", "1e+20"),
        (1e21, "1e+21", "1e+21"),
        (0.0001, "0.0001", "0.0001"),
        (0.00001, "0.00001", "1e-05"),
        (1e-6, "0.000001", "1e-06"),
        (1.25e-7, "1.25e-07", "1.25e-07"),
        (1e-10, "1e-10", "1e-10"),
        (1e-7, "1e-07", "1e-07"),
        (5e-324, "5e-324", "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308"),
        (0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"),
        (float("nan"), "NaN", "NaN"),
        (float("inf"), "+Inf", "+Inf"),
        (float("-inf"), "-Inf", "-Inf"),
    ],
)
def test_numbers(value, in_json, in_text):
    assert json_number(value) == in_json
    assert text_number(value) == in_text


@given(st.floats())
def test_numbers_are_those_of_other_answers(value):
    assert json_number(value) == double_text(value)


# Upper bounds that Prometheus 2.42 gives over its API.
@pytest.mark.parametrize(
    ("index", "schema", "bound"),
    [
        (-3, 1, "0.35355339059327373"),
        (-1, 1, "0.7071067811865475"),
        (1, 1, "1.414213562373095"),
        (67, 0, "147573952589676410000"),
        (70, 0, "1.1805916207174113e+21"),
        (-30, 0, "9.313225746154785e-10"),
    ],
)
def test_exponential_bounds_are_those_of_prometheus(index, schema, bound):
    assert json_number(float(exponential_bound(index, schema))) == bound


def test_rows_round_trip_take_and_join():
    other = Slow(CUSTOM, Fraction(1), Fraction(2), pos={1: Fraction(1)}, custom=(1.0, 2.0), hint=1)
    rows = from_columns(to_columns([FULL, other, Slow()]))
    assert [from_rows(rows, k) for k in range(3)] == [FULL, other, Slow()]
    taken = take_rows(rows, np.array([2, 1, 1, 0]))
    assert [from_rows(taken, k) for k in range(4)] == [Slow(), other, other, FULL]
    joined = concat_rows(rows, taken)
    assert row_count(joined) == 7
    assert [from_rows(joined, k) for k in (1, 4, 6)] == [other, other, FULL]
    with pytest.raises(IndexError):
        take_rows(rows, np.array([3]))


def test_empty_buckets_are_dropped_and_read_only_input_is_taken():
    columns = to_columns([Slow(pos={0: Fraction(1), 1: Fraction(0), 2: Fraction(3)}), Slow(pos={5: Fraction(0)})])
    for array in (columns.sum, columns.positive.count, columns.positive.index):
        array.flags.writeable = False
    rows = from_columns(columns)
    assert rows.pos_offsets.tolist() == [0, 2, 2]
    assert rows.pos_index.tolist() == [0, 2]
    assert rows.sum.flags.writeable


def test_warm_up_runs():
    warm_up()
