import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.app.durations import Duration, parse_duration, parse_time_ms

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [("0", 0), ("5ms", 5), ("30s", 30_000), ("1h30m", 5_400_000), ("90d", 7_776_000_000), ("1w", 604_800_000),
     ("1y", 31_536_000_000), ("1d12h", 129_600_000)],
)  # fmt: skip
def test_prometheus_durations(text, ms):
    assert parse_duration(text).ms == ms


@pytest.mark.parametrize("text", ["", "5", "s", "1m1h", "1h1h", "-1h", "1.5h", "1 h", "1H", "1d x"])
def test_other_text_is_refused_with_what_is_allowed(text):
    with pytest.raises(ValueError, match="90d"):
        parse_duration(text)


@given(st.integers(0, 10**12))
def test_printing_parses_back(ms):
    assert parse_duration(str(Duration(ms))).ms == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("now", NOW_MS), ("-1h", NOW_MS - 3_600_000), ("now-5m", NOW_MS - 300_000), ("now+1d", NOW_MS + 86_400_000),
        ("1700000000", 1_700_000_000_000), ("1700000000.5", 1_700_000_000_500), ("-5", -5_000),
        ("2023-11-14T22:13:20Z", NOW_MS), ("2023-11-14T22:13:20", NOW_MS), ("2023-11-15T00:13:20+02:00", NOW_MS),
    ],
)  # fmt: skip
def test_points_in_time(text, ms):
    assert parse_time_ms(text, NOW_MS) == ms


@pytest.mark.parametrize("text", ["", "yesterday", "now-", "-1x", "inf", "nan", "2023-13-01T00:00:00Z"])
def test_nonsense_is_not_a_time(text):
    with pytest.raises(ValueError, match=r"is not a"):
        parse_time_ms(text, NOW_MS)
