import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.lang.logql import parse_log_query
from swarmscope.model.logs import Level, LineColumns
from swarmscope.model.series import ABSENT, LabelFrame
from swarmscope.query.logql.demand import Demand
from swarmscope.query.logql.formats import all_names
from swarmscope.query.logql.pipeline import Pipeline
from swarmscope.query.logql.sure_misses import with_values
from tests.portion import portion
from tests.query.logql.lines import block_of, texts


def compiled(stages, demand=None):
    return Pipeline.compile(parse_log_query('{app="x"} ' + stages), demand)


def ran(stages, lines, metadata=None, demand=None, stream=None):
    block = block_of(metadata or [{}] * len(lines), lines, stream or {"app": "x"})
    compiled(stages, demand).run(block)
    return block


def labels_of(block):
    columns = {name: texts(block.label(name)) for name in all_names(block)}
    return [
        {name: column[row] for name, column in columns.items() if column[row] is not None} for row in range(len(block))
    ]


@pytest.mark.parametrize(
    ("stages", "needles", "absent"),
    [
        ('|= "a" |= "b" != "c"', ("a", "b"), ("c",)),
        ('|= "a" or "b"', (), ()),
        ('!= "a" or "b"', (), ("a", "b")),
        ('|~ "plain"', ("plain",), ()),
        ('|~ "err.*time.+out"', ("err", "time", "out"), ()),
        ('|~ "a|b"', (), ()),
        ('!~ "a|b"', (), ("a", "b")),
        ('!~ "a.*b"', (), ()),
        ('|~ "(?i)plain"', (), ()),
        ('|~ "colou?r"', (), ()),
        ('|~ ".*?lazy"', (), ()),
        ('|> "<_>one<_>two"', ("one", "two"), ()),
        ('!> "<_>one<_>"', (), ()),
        ('|= ip("10.0.0.1")', (), ()),
        ('|= ""', (), ()),
        ('| json | status="500"', (), ()),
        ('| json |= "a"', ("a",), ()),
        ('| line_format "{{.a}}" |= "a"', (), ()),
        ('|= "first" | decolorize |= "then"', ("first",), ()),
        ('|= "first" | unpack |= "then"', ("first",), ()),
    ],
)
def test_texts_that_every_passing_line_has(stages, needles, absent):
    request = compiled(stages).request(1, 2)
    assert (request.start_ns, request.end_ns) == (1, 2)
    assert (request.needles, request.absent) == (needles, absent)


class NamesOfMetadata:
    """A reader that knows which names metadata has."""

    def metadata_names(self):
        return frozenset({"user.id"})


@pytest.mark.parametrize(
    ("stages", "values"),
    [
        ('| json | status="500"', ("500",)),
        ('|= "x" | pod="p" | logfmt | status="500", method="GET" |= "y"', ("500", "GET")),
        ('| json | status="500" or method="GET"', ()),
        ('| json | status!="500" | method="GET"', ("GET",)),
        ('| json | status="" | method=~"GET"', ()),
        ('| status="500"', ()),
        ('| json | drop app | status="500"', ()),
        # Another stage could have made the label before, or the line.
        ('| label_format status=app | json | status="500"', ()),
        ('| line_format "{{.app}}" | json | status="500"', ()),
        ('| logfmt | json | status="500"', ()),
        # Labels that a line can have without a parser.
        ('| json | app="x"', ()),
        ('| json | user_id="x" | trace_id="x" | detected_level="info"', ()),
        ('| json | app_extracted="x"', ()),
        ('| json | unused="x"', ("x",)),
    ],
)
def test_values_that_passing_lines_spell(stages, values):
    pipeline = compiled(stages)
    labels = LabelFrame(("app", "unused"), np.array([[0, ABSENT], [ABSENT, ABSENT]], np.int32))
    request = with_values(pipeline.request(1, 2), pipeline.equalities, labels, NamesOfMetadata())
    assert request.values == values


@pytest.mark.parametrize(
    ("stages", "levels"),
    [
        ('| detected_level="error"', {Level.ERROR}),
        ('| detected_level=~"error|fatal"', {Level.ERROR, Level.FATAL}),
        ('| detected_level!="error" | detected_level!~"[a-t].*"', {Level.UNKNOWN, Level.WARN}),
        ('| detected_level="error" or detected_level="warn"', {Level.ERROR, Level.WARN}),
        ('| detected_level="error" or app="x"', None),
        ('| json | detected_level="info"', {Level.INFO}),
        ('| label_format detected_level="error" | detected_level="error"', None),
        ('| drop detected_level | detected_level=""', None),
        ('| keep app | detected_level=""', None),
        ('| level="error"', None),
    ],
)
def test_levels_of_passing_lines(stages, levels):
    assert compiled(stages).request(0, 1).levels == (None if levels is None else frozenset(levels))


@pytest.mark.parametrize(
    ("stages", "demand", "columns"),
    [
        ("", Demand(frozenset(), line=False), LineColumns(line=False, metadata=False, level=False)),
        ("", Demand(frozenset(["detected_level"]), line=False), LineColumns(line=False, metadata=False, level=True)),
        ("", Demand(frozenset(["a"]), line=False), LineColumns(line=False, metadata=True, level=False)),
        ('|= "a"', Demand(frozenset(), line=False), LineColumns(line=True, metadata=False, level=False)),
        ("| json", None, LineColumns()),
    ],
)
def test_columns_that_are_asked_for(stages, demand, columns):
    assert compiled(stages, demand).request(0, 1).columns == columns


def test_a_parser_that_nobody_asks_for_does_not_run():
    block = ran("| json", ["no json"], demand=Demand(frozenset(), line=False))
    assert labels_of(block) == [{"app": "x"}]
    block = ran("| json", ["no json"], demand=Demand(frozenset(["__error__"]), line=False))
    assert labels_of(block)[0]["__error__"] == "JSONParserErr"


def test_only_demanded_labels_are_taken_out():
    block = ran("| json", ['{"a":1,"b":2}'], demand=Demand(frozenset(["b"]), line=False))
    assert labels_of(block) == [{"app": "x", "b": "2"}]


def test_a_demand_for_an_extracted_name_looks_for_the_plain_one():
    block = ran("| json", ['{"app":"inner"}'], demand=Demand(frozenset(["app_extracted"]), line=False))
    assert labels_of(block) == [{"app": "x", "app_extracted": "inner"}]


_LINES = [
    '{"a":"1","b":"x","app":"y","m":"j"}',
    '{"a":"\\u0031","b":"z"}',
    '{"a":2.5,"n":{"a":"1"},"b":""}',
    "a=1 b=x m=l",
    "a=2 b",
    "free text a 1",
    "",
    '{"a":"1"',
]
_STAGES = [
    "| json", "| logfmt", '| json q="a"', '| regexp "(?P<a>[0-9])"', '| pattern "<a>=<b> <_>"', '| a="1"', '| b!="x"',
    "| a >= 1", '| m="meta" or b=~"x|z"', '|= "1"', '!= "text"', '| label_format z=a, b="{{.a}}-{{.app}}"',
    '| line_format "a={{.a}} b={{.m}}"', "| drop a", '| keep b, a="1"', "| unpack", '| __error__=""', "| decolorize",
    '| a_extracted="1"', '| label_format c="{{ .a | ToUpper }}"',
]  # fmt: skip


@settings(max_examples=portion(600, 150), deadline=None)
@given(st.lists(st.sampled_from(_STAGES), max_size=5), st.sets(st.sampled_from(["a", "b", "m", "z", "q", "app"])))
def test_what_is_demanded_does_not_change_the_answer(stages, wanted):
    metadata = [{"m": "meta"} if row % 3 == 0 else {"a": "1"} if row % 3 == 1 else {} for row in range(len(_LINES))]
    everything = ran(" ".join(stages), _LINES, metadata)
    some = ran(" ".join(stages), _LINES, metadata, Demand(frozenset(wanted), line=True))
    assert some.rows.tolist() == everything.rows.tolist()
    assert texts(some.line) == texts(everything.line)
    for name in wanted:
        assert texts(some.label(name)) == texts(everything.label(name))


def test_one_pipeline_runs_on_many_threads():
    pipeline = compiled('| logfmt | line_format "{{.a | ToUpper}}{{ __line__ }}"')
    lines = [f"a=v{i}" for i in range(200)]
    wanted = [f"V{i}a=v{i}" for i in range(200)]
    wrong = []

    def run():
        for _ in range(5):
            block = block_of([{}] * len(lines), lines)
            pipeline.run(block)
            if texts(block.line) != wanted:
                wrong.append(1)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
