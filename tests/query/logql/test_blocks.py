"""A line's labels: where they come from, who wins, and what is left after filters and drops."""

from __future__ import annotations

import numpy as np

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import Level, LogRows, pack_values
from swarmscope.model.series import LabelFrame
from swarmscope.query.logql.blocks import LabelKind, LineBlock, Shapes, Streams, sanitised_name

_SYMBOLS = ("app", "shop", "bank", "eu")
_SHAPES: tuple[tuple[str, ...], ...] = ((), ("agent.role", "session"), ("session", "zone"))


def _texts(column: Utf8Column) -> list[str | None]:
    return [column.text(row) if column.length[row] >= 0 else None for row in range(len(column))]


def _block() -> LineBlock:
    metadata = LabelSets.from_dicts([{"agent.role": "critic", "session": "s1"}, {}, {"session": "s2", "zone": "z"}])
    values = metadata.values
    trace = np.zeros((3, 16), np.uint8)
    trace[1] = np.arange(16) + 0xA0
    rows = LogRows(
        stream=np.array([0, 1, 1]),
        ts_ns=np.array([10, 20, 30]),
        line=Utf8Column.from_strings(["one", "two", "three"]),
        shape=np.array([1, 0, 2]),
        metadata=Utf8Column(*pack_values(metadata.offsets, values.buffer, values.start, values.length)),
        level=np.array([Level.INFO, Level.UNKNOWN, Level.ERROR], np.uint8),
        severity=np.array([9, 0, 17], np.uint8),
        observed_ns=np.array([0, 1_700_000_000_000_000_001, 0]),
        trace_id=trace,
        span_id=np.zeros((3, 8), np.uint8),
    )
    # Streams {app="shop"} and {app="bank", zone="eu"}.
    labels = LabelFrame(("app", "zone"), np.array([[1, 2], [-1, 3]], np.int32))
    return LineBlock.from_rows(rows, Streams(labels, _SYMBOLS.__getitem__), Shapes(_SHAPES.__getitem__))


def test_labels_of_all_kinds() -> None:
    block = _block()
    assert _texts(block.label("app")) == ["shop", "bank", "bank"]
    assert _texts(block.label("agent_role")) == ["critic", None, None]
    assert _texts(block.label("session")) == ["s1", None, "s2"]
    assert _texts(block.label("detected_level")) == ["info", "unknown", "error"]
    assert _texts(block.label("severity_number")) == ["9", None, "17"]
    assert _texts(block.label("observed_timestamp")) == [None, "1700000000000000001", None]
    assert _texts(block.label("trace_id")) == [None, "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", None]
    assert _texts(block.label("nobody")) == [None, None, None]


def test_metadata_makes_way_for_the_stream_and_made_labels_win_over_both() -> None:
    block = _block()
    assert _texts(block.label("zone")) == [None, "eu", "eu"]
    assert _texts(block.label("zone_extracted")) == [None, None, "z"]
    made = Utf8Column.from_strings(["x", "", "y"])
    block.set_label("zone", Utf8Column(made.buffer, made.start, np.array([1, -1, 1])))
    assert _texts(block.label("zone")) == ["x", "eu", "y"]


def test_filters_take_every_column_along() -> None:
    block = _block()
    block.label("app")
    block.set_label("made", Utf8Column.from_strings(["a", "b", "c"]))
    block.keep(np.array([True, False, True]))
    assert len(block) == 2
    assert block.line.to_strings() == ["one", "three"]
    assert block.ts_ns.tolist() == [10, 30]
    assert _texts(block.label("app")) == ["shop", "bank"]
    assert _texts(block.label("made")) == ["a", "c"]
    assert _texts(block.label("session")) == ["s1", "s2"]


def test_dropped_labels_are_gone_whether_or_not_they_were_looked_at() -> None:
    for looked_at in (False, True):
        block = _block()
        if looked_at:
            block.label("session")
        block.drop_label("session", np.array([True, True, False]))
        assert _texts(block.label("session")) == [None, None, "s2"]
        block.drop_label("session", np.array([False, False, True]))
        assert "session" not in block.names(LabelKind.METADATA)


def test_names_by_kind() -> None:
    block = _block()
    block.set_label("made", Utf8Column.from_strings(["a", "b", "c"]))
    assert block.names(LabelKind.STREAM) == ["app", "zone"]
    assert set(block.names(LabelKind.METADATA)) >= {"agent_role", "session", "zone", "detected_level", "trace_id"}
    assert block.names(LabelKind.MADE) == ["made"]


def test_the_first_error_stays() -> None:
    block = _block()
    block.note_error(np.array([True, False, False]), "JSONParserErr", "broken")
    block.note_error(np.array([True, True, False]), "LabelFilterErr", "no number")
    assert _texts(block.label("__error__")) == ["JSONParserErr", "LabelFilterErr", None]
    assert _texts(block.label("__error_details__")) == ["broken", "no number", None]


def test_names_become_what_logql_can_say() -> None:
    assert sanitised_name("gen_ai.request.model") == "gen_ai_request_model"
    assert sanitised_name("2nd-try") == "_2nd_try"
