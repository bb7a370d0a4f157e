import cramjam
import numpy as np
import pytest

from swarmscope.app.ingestion.push_body import label_text, push_body
from swarmscope.app.ingestion.syslog import NO_PRIORITY, priorities_of
from swarmscope.model.labels import Utf8Column
from swarmscope.receivers.loki.schema import push_request_class


def _read(body: bytes):
    request = push_request_class()()
    request.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
    (stream,) = request.streams
    return stream


def test_what_is_written_is_read_by_an_independent_decoder():
    lines = ["a", "", "ü" * 200, "x" * 300_000]
    times = np.array([0, 1, 1_767_323_045_123_456_789, 4_000_000_000_000_000_000], np.int64)
    column = Utf8Column.from_strings(lines)
    stream = _read(push_body(label_text({"a": 'q"\\\n', "b": "c"}), times, column, np.empty(0, np.int64)))
    assert stream.labels == '{a="q\\"\\\\\\n", b="c"}'
    assert [entry.line for entry in stream.entries] == lines
    assert [e.timestamp.seconds * 10**9 + e.timestamp.nanos for e in stream.entries] == times.tolist()


def test_priorities_become_severity_and_facility():
    lines = ["<34>1 x", "<0>x", "<191>x", "<192>x", "<>x", "x", "<1234>x", "<34", ""]
    column = Utf8Column.from_strings(lines)
    found = priorities_of(column)
    assert found.tolist() == [34, 0, 191] + [NO_PRIORITY] * 6
    stream = _read(push_body("{}", np.arange(9), column, found))
    pairs = [{pair.name: pair.value for pair in entry.structuredMetadata} for entry in stream.entries]
    # RFC 5424, tables 1 and 2: 34 = 4 * 8 + 2, 191 = 23 * 8 + 7
    assert pairs[:3] == [
        {"severity": "crit", "facility": "auth"},
        {"severity": "emerg", "facility": "kern"},
        {"severity": "debug", "facility": "local7"},
    ]
    assert pairs[3:] == [{}] * 6
    assert [entry.line for entry in stream.entries] == lines


@pytest.mark.parametrize("lines", [[], ["only"]])
def test_few_lines(lines):
    column = Utf8Column.from_strings(lines)
    stream = _read(push_body("{}", np.zeros(len(lines), np.int64), column, np.empty(0, np.int64)))
    assert [entry.line for entry in stream.entries] == lines
