import pytest

from swarmscope.api.tempo.value_json import go_duration, typed_json
from swarmscope.query.traceql.values import Tag, TypedValue


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0s"), (1, "1ns"), (999, "999ns"), (1_100, "1.1µs"), (2_200_000, "2.2ms"), (3_300_000_000, "3.3s"),
        (245_000_000_000, "4m5s"), (245_001_000_000, "4m5.001s"), (18_367_001_000_000, "5h6m7.001s"),
        (480_000_000_001, "8m0.000000001s"), (-1_500_000, "-1.5ms"), (3_600_000_000_000, "1h0m0s"),
        ((1 << 63) - 1, "2562047h47m16.854775807s"),
    ],
)  # fmt: skip
def test_durations_are_spelled_as_in_go(duration_ns, text):
    assert go_duration(duration_ns) == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (TypedValue(Tag.INTEGER, 1 << 60), {"intValue": "1152921504606846976"}),
        (TypedValue(Tag.FLOAT, float("inf")), {"doubleValue": "Infinity"}),
        (TypedValue(Tag.BOOLEAN, False), {"boolValue": False}),
        (TypedValue(Tag.DURATION, 1_500_000_000), {"stringValue": "1.5s"}),
        (TypedValue(Tag.STATUS, 2), {"stringValue": "error"}),
        (TypedValue(Tag.KIND, 3), {"stringValue": "client"}),
        (TypedValue(Tag.NIL, None), {"stringValue": "nil"}),
    ],
)
def test_values_have_their_type(value, shown):
    assert typed_json(value) == shown
