"""Numbers in queries are printed as Prometheus 2.42's /format_query prints them."""

from __future__ import annotations

import pytest

from swarmscope.lang.promql import parse_promql, to_text


@pytest.mark.parametrize(
    ("query", "printed"),
    [
        ("123456", "123456"),
        ("1000000", "1e+06"),
        ("123456789", "1.23456789e+08"),
        ("2097152", "2.097152e+06"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("1e20", "1e+20"),
        ("5.5e300", "5.5e+300"),
        ("Inf", "+Inf"),
    ],
)
def test_numbers(query: str, printed: str) -> None:
    assert to_text(parse_promql(query)) == printed
