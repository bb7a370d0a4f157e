"""Time stamps of scalars and strings, as Prometheus 2.42 answers with."""

from __future__ import annotations

import pytest

from swarmscope.api.number_text import scalar_time_text, timestamp_text


@pytest.mark.parametrize(
    ("ts_ms", "scalar", "sample"),
    [
        (1500, "1.5", "1.500"),
        (1050, "1.05", "1.050"),
        (1005, "1.005", "1.005"),
        (1_600_000_000_120, "1600000000.12", "1600000000.120"),
        (1_600_000_000_000, "1600000000", "1600000000"),
        (-1500, "-1.5", "-1.500"),
        (-1, "-0.001", "-0.001"),
        (0, "0", "0"),
    ],
)
def test_times(ts_ms: int, scalar: str, sample: str) -> None:
    assert scalar_time_text(ts_ms) == scalar
    assert timestamp_text(ts_ms) == sample
