import threading

import pytest

from swarmscope.model.errors import QuerySyntaxError
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.testing.memory_log_reader import MemoryLogReader


@pytest.fixture
def reader():
    return MemoryLogReader()


def test_lines_that_come_in_go_through_the_pipeline(reader):
    reader.add_lines({"app": "x"}, [(1, "before")])
    tail = LogqlEngine(reader).tail('{app=~"x|y"} |= "keep" | logfmt')
    assert tail.next(0).results == ()
    reader.add_lines({"app": "x"}, [(3, "keep n=3"), (2, "keep n=2"), (4, "leave")])
    (result,) = tail.next(1).results
    assert result.line.to_strings() == ["keep n=2", "keep n=3"]
    assert result.streams[result.group[0]].labels == {"app": "x", "detected_level": "unknown", "n": "2"}
    tail.close()
    reader.add_lines({"app": "x"}, [(5, "keep")])
    assert tail.next(0).results == ()


def test_streams_may_come_while_tailing(reader):
    tail = LogqlEngine(reader).tail('{app=~"x|y"}')
    reader.add_lines({"app": "y"}, [(1, "new stream")])
    (result,) = tail.next(1).results
    assert result.streams[0].stream == {"app": "y"}
    tail.close()


def test_a_line_wakes_the_one_who_waits(reader):
    tail = LogqlEngine(reader).tail('{app="x"}')
    timer = threading.Timer(0.05, reader.add_lines, ({"app": "x"}, [(1, "late")]))
    timer.start()
    (result,) = tail.next(30).results
    timer.join()
    assert result.line.to_strings() == ["late"]
    tail.close()


def test_metric_queries_are_no_tails(reader):
    with pytest.raises(QuerySyntaxError):
        LogqlEngine(reader).tail('rate({app="x"}[1m])')
