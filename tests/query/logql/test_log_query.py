import numpy as np
import pytest

from swarmscope.lang.logql import parse_log_query
from swarmscope.model.errors import LimitExceededError, QueryCancelledError, QueryFailedError, QuerySyntaxError
from swarmscope.model.logs import Level
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.log_answers import LogsRequest
from swarmscope.query.logql.settings import LogqlSettings
from swarmscope.testing.memory_log_reader import MemoryLine, MemoryLogReader


@pytest.fixture
def reader():
    made = MemoryLogReader(batch_lines=10)
    for number in range(1, 101):
        made.add_lines({"app": f"a{number % 3}"}, [(number, f"n={number} parity={number % 2}")])
    return made


def asked(reader, text, settings=None, **more):
    return LogqlEngine(reader, settings).query_logs(LogsRequest(text, 0, 1_000, **more))


def test_the_newest_lines_are_found_without_reading_all(reader):
    result = asked(reader, '{app=~".+"}', limit=5)
    assert result.ts_ns.tolist() == [100, 99, 98, 97, 96]
    assert result.line.to_strings()[0] == "n=100 parity=0"
    assert reader.lines_read == 5
    assert result.stats.lines == 5
    assert result.stats.bytes == sum(len(line) for line in result.line.to_strings())


def test_reading_goes_on_until_enough_lines_pass(reader):
    result = asked(reader, '{app=~".+"} | logfmt | parity="1" | n <= 4', limit=2)
    assert result.ts_ns.tolist() == [3, 1]
    assert reader.lines_read == 100


def test_lines_of_one_time_keep_their_order():
    reader = MemoryLogReader()
    reader.add_lines({"app": "x"}, [(7, "first"), (7, "second"), (7, "third")])
    assert asked(reader, '{app="x"}', backward=False).line.to_strings() == ["first", "second", "third"]
    assert asked(reader, '{app="x"}').line.to_strings() == ["third", "second", "first"]
    assert asked(reader, '{app="x"}', limit=2).line.to_strings() == ["third", "second"]
    assert asked(reader, '{app="x"}', limit=2, backward=False).line.to_strings() == ["first", "second"]


def test_labels_are_told_by_where_they_come_from():
    reader = MemoryLogReader()
    lines = [
        MemoryLine(0, 1, '{"a":"1","job":"j"}', {"user.id": "u"}, Level.INFO),
        MemoryLine(0, 2, '{"a":"1","job":"j"}', {"user.id": "u"}, Level.INFO),
        MemoryLine(0, 3, '{"a":"2"}', {}, Level.UNKNOWN, 9, 5, bytes(15) + b"\x01"),
    ]
    reader.add({"job": "x"}, lines)
    result = asked(reader, '{job="x"} | json', backward=False)
    first, last = result.streams[result.group[0]], result.streams[result.group[2]]
    assert result.group[0] == result.group[1] != result.group[2]
    assert first.stream == {"job": "x"}
    assert first.metadata == {"user_id": "u", "detected_level": "info"}
    assert first.parsed == {"a": "1", "job_extracted": "j"}
    assert list(first.labels) == ["a", "detected_level", "job", "job_extracted", "user_id"]
    assert last.metadata == {
        "detected_level": "unknown", "severity_number": "9", "observed_timestamp": "5", "trace_id": "0" * 31 + "1",
    }  # fmt: skip
    assert last.parsed == {"a": "2"}


def test_a_label_that_a_format_makes_is_no_longer_the_streams():
    reader = MemoryLogReader()
    reader.add_lines({"app": "x", "env": "e"}, [(1, "l")])
    result = asked(reader, '{app="x"} | label_format app="new", other=env')
    assert result.streams[0].stream == {}
    assert result.streams[0].parsed == {"app": "new", "other": "e"}


def test_nothing_is_an_answer(reader):
    for text in ('{app="none"}', '{app="a1"} |= "zebra"'):
        result = asked(reader, text)
        assert len(result) == 0
        assert result.streams == ()


def test_refusals(reader):
    with pytest.raises(QueryFailedError, match="positive"):
        asked(reader, '{app="a1"}', limit=0)
    with pytest.raises(LimitExceededError, match="max entries limit"):
        asked(reader, '{app="a1"}', LogqlSettings(max_entries=10), limit=11)
    with pytest.raises(QuerySyntaxError):
        asked(reader, 'count_over_time({app="a1"}[1m])')
    with pytest.raises(LimitExceededError) as refused:
        asked(reader, '{app=~".+"} | logfmt | n > 1000', LogqlSettings(max_lines=50))
    assert refused.value.limit == "query.max_lines"
    with pytest.raises(LimitExceededError) as refused:
        asked(reader, '{app=~".+"} | logfmt | n > 1000', LogqlSettings(max_line_bytes=200))
    assert refused.value.limit == "query.max_line_bytes"


def test_cancellation_ends_a_query_between_batches(reader):
    class Patience:
        remaining_s = 1.0
        asked_for = 0

        def check(self):
            self.asked_for += 1
            if self.asked_for > 4:
                raise QueryCancelledError("gone")

    with pytest.raises(QueryCancelledError):
        asked(reader, '{app=~".+"} | logfmt | n > 1000', cancellation=Patience(), limit=1)
    assert 0 < reader.lines_read < 100


def test_a_stream_label_and_an_error_are_labels_of_the_answer():
    reader = MemoryLogReader()
    reader.add_lines({"app": "x"}, [(1, "not json")])
    result = asked(reader, '{app="x"} | json')
    assert result.streams[0].parsed["__error__"] == "JSONParserErr"


def test_bytes_that_are_not_utf8_are_replaced_in_labels():
    reader = MemoryLogReader()
    reader.add_lines({"app": "x"}, [(1, "a=é")])
    block_text = asked(reader, '{app="x"} | regexp "a=(?P<v>.*)"').streams[0].parsed["v"]
    assert block_text == "é"


def test_trees_are_asked_with_their_matchers(reader):
    assert [each.value for each in parse_log_query('{app="a1"}').matchers] == ["a1"]
    assert np.all(asked(reader, '{app="a1"}', limit=100).ts_ns % 3 == 1)
