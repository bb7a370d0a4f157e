import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.api.loki.log_json import streams_json
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.log_answers import AnswerLabels, AnswerStream, LogsResult
from tests.portion import portion

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
_LABELS = st.dictionaries(_TEXT, _TEXT, max_size=3)
_PARSED = st.dictionaries(_TEXT.filter(lambda name: name[:1] not in ("s", "m")), _TEXT, max_size=3)


@st.composite
def _results(draw):
    # A name stands in one of the three kinds alone.
    groups = [
        ({f"s{name}": text for name, text in one.items()}, {f"m{name}": text for name, text in two.items()}, three)
        for one, two, three in draw(st.lists(st.tuples(_LABELS, _LABELS, _PARSED), min_size=1, max_size=4))
    ]
    lines = draw(st.lists(st.tuples(st.integers(-(1 << 62), 1 << 62), _TEXT, st.integers(0, len(groups) - 1))))
    return groups, lines


@settings(max_examples=portion(100, 33), deadline=None)
@given(_results())
def test_every_text_is_read_back_by_a_json_parser(drawn):
    groups, lines = drawn
    times, texts, group = (list(column) for column in zip(*lines, strict=True)) if lines else ([], [], [])
    labels = AnswerLabels.from_streams([AnswerStream(*each) for each in groups])
    result = LogsResult(np.array(times, np.int64), Utf8Column.from_strings(texts), np.array(group, np.int64), labels)
    expected: dict[str, list[list[str]]] = {}
    for ts_ns, text, at in lines:
        one, two, three = groups[at]
        expected.setdefault(json.dumps({**one, **two, **three}, sort_keys=True), []).append([str(ts_ns), text])
    found = json.loads(streams_json(result))
    assert {json.dumps(each["stream"], sort_keys=True): each["values"] for each in found} == expected
    assert len(found) == len(expected)
    categorised = json.loads(streams_json(result, categorised=True))
    values = [(each["stream"], value) for each in categorised for value in each["values"]]
    assert len(values) == len(lines)
    told = sorted(
        json.dumps([stream, ts, text, third.get("structuredMetadata", {}), third.get("parsed", {})], sort_keys=True)
        for stream, (ts, text, third) in values
    )
    assert told == sorted(
        json.dumps([groups[at][0], str(ts), text, groups[at][1], groups[at][2]], sort_keys=True)
        for ts, text, at in lines
    )
