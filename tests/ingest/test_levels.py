import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.log_batches import KeptLogs, make_logs

from swarmscope.ingest.levels import LevellingSink
from swarmscope.model.logs import Level


def _levels(*lines: str, **more) -> list[Level]:
    inner = KeptLogs()
    LevellingSink(inner).write_logs(make_logs(lines, **more))
    return [Level(level) for level in inner.batches[0].level.tolist()]


def test_severity_numbers():
    # https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
    kinds = [Level.TRACE, Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR, Level.FATAL]
    expected = [Level.UNKNOWN, *[kind for kind in kinds for _ in range(4)], Level.UNKNOWN, Level.UNKNOWN]
    assert _levels(*["x"] * 27, severity=[*range(26), 255]) == expected


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ('{"level":"warn"}', Level.WARN),
        (' {"msg":"an error","severity":"INFO"} ', Level.INFO),
        ('{"log.level":"Debug"}', Level.DEBUG),
        ('{"a":{"lvl":"trc"}}', Level.TRACE),
        ('{"a":{"b":{"level":"warn"}},"m":"x"}', Level.WARN),  # too deep for a field, a word in a value all the same
        ('{"a":[{"level":"warn"}],"level":"err"}', Level.ERROR),
        ('{"level":30,"m":"x"}', Level.UNKNOWN),
        ('{"level":"loud","m":"critical thing"}', Level.CRITICAL),
        ('{"error":null,"m":"fine"}', Level.UNKNOWN),
        ('{"m":"say \\"level\\":\\"fatal\\"","level":"info"}', Level.INFO),
        ('{"m":"cut', Level.UNKNOWN),
        ("ts=1 level=error msg=x", Level.ERROR),
        ('LEVEL="WARNING" msg="an error"', Level.WARN),
        ("msg=a,level=warn error", Level.WARN),  # no field, but the first telling word
        ("sublevel=warn", Level.WARN),
        ("2026-11-22 ERROR [main] no info here", Level.ERROR),
        ("[INFO] done", Level.INFO),
        ("WARN: careful", Level.WARN),
        ("java.lang.Exception: boom", Level.ERROR),
        ("Traceback (most recent call last):", Level.ERROR),
        ("panic: runtime", Level.FATAL),
        ("errors=3 debugger infos", Level.UNKNOWN),
        ("error_count 3, 4error, x_debug", Level.UNKNOWN),
        ("über-fatal", Level.FATAL),
        ("nothing to see", Level.UNKNOWN),
        ("", Level.UNKNOWN),
        ("   ", Level.UNKNOWN),
        ("{}", Level.UNKNOWN),
        ("x" * 5000 + " error", Level.UNKNOWN),
    ],
)
def test_lines(line, level):
    assert _levels(line) == [level]


def test_what_is_told_comes_first():
    metadata = [{"level": "debug"}, {"x": "y", "severity_text": "Error"}, {"level": "what"}, {"detected_level": "warn"}]
    assert _levels(*["info"] * 4, metadata=metadata) == [Level.DEBUG, Level.ERROR, Level.INFO, Level.WARN]
    assert _levels("info", metadata=[{"level": "debug"}], severity=[17]) == [Level.ERROR]


def test_a_level_that_the_sender_gave_stays():
    inner, batch = KeptLogs(), make_logs(["error", "error"], severity=[17, 17])
    batch.level = np.array([Level.INFO, Level.UNKNOWN], np.uint8)
    LevellingSink(inner).write_logs(batch)
    assert inner.batches[0].level.tolist() == [Level.INFO, Level.ERROR]


def test_labels_of_streams_are_remembered_by_tenant():
    inner = KeptLogs()
    sink = LevellingSink(inner)
    first = make_logs(["x", "y"], streams=[{"level": "warn"}], stream=[0, 1])
    key = int(first.stream_key[1])
    sink.write_logs(first)
    for tenant in ("default", "other"):
        later = make_logs(["z"], tenant=tenant)
        later.stream_key[0] = key
        sink.write_logs(later)
    assert [batch.level.tolist() for batch in inner.batches] == [[0, Level.WARN], [Level.WARN], [0]]


@given(st.lists(st.text(alphabet='{}[]":,=\\ level"infoERROR\n', max_size=40), max_size=20))
def test_any_text_gives_a_level_of_its_own(lines):
    assert _levels(*lines) == [_levels(line)[0] for line in lines]
