import pytest

from swarmscope.model.logs import Level
from swarmscope.query.logql.detected_fields import DetectedField, DetectedLabel, guess_type
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.log_answers import LogsRequest
from swarmscope.testing.memory_log_reader import MemoryLine, MemoryLogReader

UUIDS = [f"0242ac12-0002-1000-8000-0000000000{i:02x}" for i in range(3)]


@pytest.fixture
def reader():
    made = MemoryLogReader()
    made.add(
        {"app": "x", "id": UUIDS[0], "pod": "1"},
        [
            MemoryLine(0, 1, '{"status":200,"took":"1.5s","app":"in","mixed":"1"}', {"user": "ann"}, Level.INFO),
            MemoryLine(0, 2, '{"status":404,"took":"2ms","ok":true}', {"user": "bob"}, Level.INFO),
            MemoryLine(0, 3, "status=500 size=20KB ratio=0.5", {}, Level.ERROR),
            MemoryLine(0, 4, "words alone", {}, Level.ERROR),
        ],
    )
    made.add_lines({"app": "y", "id": UUIDS[1], "pod": "2"}, [(5, "other")])
    return made


def fields(reader, text='{app="x"}', limit=100, most=100):
    found = LogqlEngine(reader).detected_fields(LogsRequest(text, 0, 100, limit=limit), most)
    return {field.name: field for field in found}


def test_fields_of_lines_and_metadata(reader):
    found = fields(reader)
    assert sorted(found) == [
        "app_extracted", "detected_level", "mixed", "ok", "ratio", "size", "status", "took", "user",
    ]  # fmt: skip
    assert found["status"] == DetectedField("status", "int", 3, ("json", "logfmt"), ("500", "404", "200"), ("status",))
    assert found["took"] == DetectedField("took", "duration", 2, ("json",), ("2ms", "1.5s"), ("took",))
    assert found["size"] == DetectedField("size", "bytes", 1, ("logfmt",), ("20KB",))
    assert found["ratio"].type == "float"
    assert found["ok"].type == "boolean"
    assert found["user"] == DetectedField("user", "string", 2, (), ("bob", "ann"))
    assert found["detected_level"].cardinality == 2


def test_paths_of_fields_in_json():
    made = MemoryLogReader()
    # `a_b` is a member's own name in one line and two names in the other; the newest line tells.
    old = '{"a_b":1,"http":{"status-code":200,"2xx":{"ok":true}},"9lives":1,"list":[{"x":1}],"app":"in","gone":null}'
    made.add_lines({"app": "x"}, [(1, old), (2, '{"a":{"b":2}}'), (3, "plain=1"), (4, '{"broken":')])
    found = fields(made)
    assert {name: field.json_path for name, field in found.items() if field.json_path} == {
        "a_b": ("a", "b"),
        "http_status_code": ("http", "status-code"),
        "http_2xx_ok": ("http", "2xx", "ok"),
        "_9lives": ("9lives",),
        "app_extracted": ("app",),
    }
    assert found["plain"].json_path == ()


def test_only_the_newest_lines_are_looked_at(reader):
    assert sorted(fields(reader, limit=2)) == ["detected_level", "ratio", "size", "status"]
    assert len(fields(reader, most=3)) == 3


def test_a_query_with_a_parser_is_taken_at_its_word(reader):
    found = fields(reader, '{app="x"} | logfmt | status="500"')
    assert found["status"].parsers == ("logfmt",)
    assert "took" not in found


def test_values(reader):
    engine = LogqlEngine(reader)
    request = LogsRequest('{app="x"}', 0, 100)
    assert engine.detected_field_values(request, "status", 10) == ["200", "404", "500"]
    assert engine.detected_field_values(request, "status", 2) == ["200", "404"]
    assert engine.detected_field_values(request, "user", 10) == ["ann", "bob"]
    assert engine.detected_field_values(request, "nope", 10) == []


def test_labels_that_are_ids_are_left_out(reader):
    assert LogqlEngine(reader).detected_labels((), (0, 100)) == [DetectedLabel("app", 2), DetectedLabel("pod", 2)]


@pytest.mark.parametrize(
    ("value", "guess"),
    [
        ("12", "int"), ("-3", "int"), ("1.5", "float"), ("1e9", "float"), ("true", "boolean"), ("False", "boolean"),
        ("10ms", "duration"), ("1h2m", "duration"), ("5KB", "bytes"), ("1.5 GiB", "bytes"), ("text", "string"),
        ("", "string"), ("12 apples", "string"),
    ],
)  # fmt: skip
def test_guesses(value, guess):
    assert guess_type(value) == guess
