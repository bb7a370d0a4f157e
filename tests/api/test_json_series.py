"""Series text by the compiled writer, against the json module and hand-made values."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.api.json_series import grid_points, label_sets_json, sample_points, series_json
from swarmscope.api.label_text import LabelTexts
from swarmscope.model.series import ABSENT, LabelFrame, SampleColumns
from tests.api.served import Symbols
from tests.portion import portion


def frame_of(sets: list[dict[str, str]], symbols: Symbols) -> LabelFrame:
    names = tuple(sorted({name for labels in sets for name in labels}, reverse=True))
    codes = np.full((len(names), len(sets)), ABSENT, np.int32)
    for column, labels in enumerate(sets):
        for row, name in enumerate(names):
            if name in labels:
                codes[row, column] = symbols.add(labels[name])
    return LabelFrame(names, codes)


label_sets = st.lists(st.dictionaries(st.text(min_size=1, max_size=6), st.text(min_size=1, max_size=6), max_size=4))


@settings(max_examples=portion(200, 66), deadline=None)
@given(label_sets)
def test_label_sets(sets: list[dict[str, str]]) -> None:
    symbols = Symbols()
    texts = LabelTexts()
    for _ in range(2):  # the second time from the cache
        rendered = label_sets_json(texts.render(frame_of(sets, symbols), symbols))
        decoded = [json.loads(text) for text in rendered]
        assert decoded == sets
        assert [list(labels) for labels in decoded] == [sorted(labels, key=str.encode) for labels in sets]


def test_codes_that_a_query_made_up() -> None:
    symbols = Symbols()
    own = 1 << 30

    class QuerySymbols:
        def text(self, code: int) -> str:
            return "made up" if code == own else symbols.text(code)

        def code(self, text: str) -> int:
            return ABSENT

    known = symbols.add("known")
    frame = LabelFrame(("a", "b"), np.array([[known, own], [own, ABSENT]], np.int32))
    found = label_sets_json(LabelTexts().render(frame, symbols, QuerySymbols()))
    assert found == [b'{"a":"known","b":"made up"}', b'{"a":"made up"}']


def test_cache_grows_and_serves_another_table() -> None:
    texts = LabelTexts()
    for prefix in ("x", "y"):
        symbols = Symbols()
        for size in (10, 3000, 20_000):
            sets = [{"n": f"{prefix}{number}" * 5} for number in range(size)]
            found = label_sets_json(texts.render(frame_of(sets, symbols), symbols))
            assert [json.loads(text) for text in found] == sets


@settings(max_examples=portion(100, 33), deadline=None)
@given(st.data())
def test_grid(data: st.DataObject) -> None:
    n_series, n_steps = data.draw(st.integers(0, 5)), data.draw(st.integers(1, 6))
    cells = n_series * n_steps
    values = np.array(
        data.draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=cells, max_size=cells))
    )
    present = np.array(data.draw(st.lists(st.booleans(), min_size=cells, max_size=cells)), np.bool_)
    values, present = values.reshape(n_series, n_steps), present.reshape(n_series, n_steps)
    ts_ms = np.arange(n_steps) * data.draw(st.integers(1, 10_000)) + data.draw(st.integers(-(10**12), 10**12))
    symbols = Symbols()
    labels = LabelTexts().render(frame_of([{"n": str(n)} for n in range(n_series)], symbols), symbols)
    text = b"".join(series_json(labels, grid_points(ts_ms, values, present), vector=False))
    found = json.loads(b"[" + text + b"]")
    assert [one["metric"]["n"] for one in found] == [str(n) for n in range(n_series)]
    for series, one in enumerate(found):
        expected = [
            (ts / 1000, value)
            for ts, value, there in zip(ts_ms.tolist(), values[series].tolist(), present[series], strict=True)
            if there
        ]
        assert [(ts, float(value)) for ts, value in one.get("values", [])] == expected


def test_raw_samples_and_histograms_between() -> None:
    symbols = Symbols()
    labels = LabelTexts().render(frame_of([{"n": "0"}, {"n": "1"}, {"n": "2"}], symbols), symbols)
    samples = SampleColumns(np.array([0, 2, 2, 3]), np.array([1000, 2500, 3000]), np.array([1.0, -0.5, 7.0]))
    histograms = {1: b',"histograms":[1]', 2: b',"histograms":[2]'}
    text = b"".join(series_json(labels, sample_points(samples), vector=False, histograms=histograms))
    assert text == (
        b'{"metric":{"n":"0"},"values":[[1,"1"],[2.500,"-0.5"]]},{"metric":{"n":"1"},"histograms":[1]},'
        b'{"metric":{"n":"2"},"values":[[3,"7"]],"histograms":[2]}'
    )


def test_labels_and_points_that_do_not_fit() -> None:
    symbols = Symbols()
    labels = LabelTexts().render(frame_of([{"n": "0"}, {"n": "1"}], symbols), symbols)
    with pytest.raises(ValueError, match="not of the same series"):
        list(series_json(labels, grid_points(np.arange(3), np.zeros((1, 3)), None), vector=False))


def test_many_chunks_and_the_check_between() -> None:
    """More text than one chunk holds; `check` may end the work at any chunk."""
    symbols = Symbols()
    labels = LabelTexts().render(frame_of([{"n": str(n)} for n in range(400)], symbols), symbols)
    values = np.random.default_rng(3).normal(size=(400, 1000))
    points = grid_points(np.arange(1000) * 15_000, values, None)
    chunks = list(series_json(labels, points, vector=False))
    assert len(chunks) > 3
    found = json.loads(b"[" + b"".join(chunks) + b"]")
    assert [[float(value) for _, value in one["values"]] for one in found] == values.tolist()

    class GoneError(Exception):
        pass

    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise GoneError

    with pytest.raises(GoneError):
        list(series_json(labels, points, vector=False, check=check))
