import json
import threading

import pytest
from tests.ingest.log_batches import KeptLogs, make_logs

from swarmscope.ingest.redacting import RedactingLogSink
from swarmscope.ingest.redaction.actions import Action
from swarmscope.ingest.redaction.choosing import chosen_detectors
from swarmscope.ingest.redaction.redactor import Redactor
from swarmscope.instrument.metrics import REGISTRY

_KEY = b"k" * 32


def _sink(inner, *detectors: str, **actions: Action) -> RedactingLogSink:
    return RedactingLogSink(inner, Redactor(chosen_detectors(detectors, [], {}), actions, _KEY))


def _count(detector: str, action: str) -> float:
    return REGISTRY.get_sample_value("swarmscope_redactions_total", {"detector": detector, "action": action}) or 0.0


def test_lines_metadata_and_new_labels_are_redacted_and_counted():
    inner, before = KeptLogs(), _count("email", "mask")
    batch = make_logs(
        ["mail a@b.example", "nothing"],
        streams=[{"user": "c@d.example", "app": "x"}],
        metadata=[{"to": "e@f.example", "n": "1"}, {}],
    )
    assert _sink(inner, "email").write_logs(batch).lines == 2
    (kept,) = inner.batches
    assert kept.line.to_strings() == ["mail [REDACTED:email]", "nothing"]
    assert kept.metadata.to_dicts() == [{"to": "[REDACTED:email]", "n": "1"}, {}]
    assert kept.new_labels.to_dicts() == [{"user": "[REDACTED:email]", "app": "x"}]
    assert _count("email", "mask") - before == 3


def test_nothing_of_a_find_is_left_in_the_buffers():
    inner = KeptLogs()
    _sink(inner, "email").write_logs(make_logs(["x a@b.example"], metadata=[{"k": "a@b.example"}]))
    (kept,) = inner.batches
    for column in (kept.line, kept.metadata.values):
        assert b"a@b" not in column.buffer.tobytes()


def test_the_names_of_attributes_tell_secrets():
    inner = KeptLogs()
    metadata = {
        "db.password": "two words",
        "http.request.header.authorization": "Bearer x y z",
        "x-api-key": "abcdef",
        "max_tokens": "4096",
        "password_policy": "strong one",
    }
    _sink(inner, "secrets").write_logs(make_logs(["x"], metadata=[metadata]))
    assert inner.batches[0].metadata.to_dicts() == [
        metadata
        | {
            "db.password": "[REDACTED:password]",
            "http.request.header.authorization": "[REDACTED:authorization]",
            "x-api-key": "[REDACTED:secret]",
        }
    ]


def test_drop_takes_the_line_the_attribute_and_masks_the_label():
    inner, before = KeptLogs(), _count("email", "drop")
    lost = REGISTRY.get_sample_value("swarmscope_redaction_dropped_lines_total")
    batch = make_logs(
        ["one", "a@b.example", "three"],
        streams=[{"user": "a@b.example"}],
        metadata=[{"a": "1"}, {"b": "2"}, {"c": "a@b.example", "d": "4"}],
    )
    receipt = _sink(inner, "email", email=Action.DROP).write_logs(batch)
    assert (receipt.lines, receipt.refused) == (2, {})
    (kept,) = inner.batches
    assert kept.line.to_strings() == ["one", "three"]
    assert kept.ts_ns.tolist() == [0, 2]
    assert kept.metadata.to_dicts() == [{"a": "1"}, {"d": "4"}]
    assert kept.new_labels.to_dicts() == [{"user": "[REDACTED:email]"}]
    assert _count("email", "drop") - before == 2
    assert REGISTRY.get_sample_value("swarmscope_redaction_dropped_lines_total") == lost + 1


def test_a_batch_of_which_nothing_is_left_goes_nowhere():
    inner = KeptLogs()
    receipt = _sink(inner, "email", email=Action.DROP).write_logs(make_logs(["a@b.example"]))
    assert (receipt.lines, inner.batches) == (0, [])


def test_hashes_are_equal_for_equal_finds_and_keyed():
    inner = KeptLogs()
    sink = _sink(inner, "email", email=Action.HASH)
    sink.write_logs(make_logs(["a@b.example", "again a@b.example", "c@d.example"]))
    one, again, other = inner.lines()
    assert again == f"again {one}"
    assert one != other
    other_key = KeptLogs()
    detectors = chosen_detectors(["email"], [], {})
    RedactingLogSink(other_key, Redactor(detectors, {"email": Action.HASH}, b"other")).write_logs(
        make_logs(["a@b.example"])
    )
    assert other_key.lines() != [one]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"card":4111111111111111,"n":1}', {"card": "[REDACTED:credit_card]", "n": 1}),
        ('[{"mail":"a@b.example"}]', [{"mail": "[REDACTED:email]"}]),
        ('{"p":"\\"password\\":\\"x\\""}', {"p": '"password":"[REDACTED:password]"'}),
        ('{"m":"password=ab\\ncd"}', {"m": "password=[REDACTED:password]\ncd"}),
        ('{"password" : "a\\u0022b\\\\" }', {"password": "[REDACTED:password]"}),
        ('{"m":"x\\u00e9a@b.example"}', None),
    ],
)
def test_json_lines_stay_json(line, expected):
    inner = KeptLogs()
    _sink(inner, "secrets", "personal").write_logs(make_logs([line]))
    read = json.loads(inner.lines()[0])
    assert expected is None or read == expected


def test_a_users_pattern_over_quotes_keeps_the_json():
    inner = KeptLogs()
    detectors = chosen_detectors([], [], {"pair": '"user":"[^"]*","id":[0-9]+'})
    RedactingLogSink(inner, Redactor(detectors, {}, _KEY)).write_logs(make_logs(['{"user":"bob","id":12,"x":"y"}']))
    assert json.loads(inner.lines()[0]) == {"[REDACTED:pair]": "[REDACTED:pair]", "x": "y"}


def test_a_text_that_only_looks_like_json_is_redacted_whole():
    inner = KeptLogs()
    lines = ["{x} password=abc {y}", "[2026] (password: abc) [z]", '{"a" password=abc"}']
    _sink(inner, "secrets").write_logs(make_logs(lines))
    assert all("abc" not in line for line in inner.lines())


def test_threads_share_a_redactor():
    inner = KeptLogs()
    sink = _sink(inner, "secrets", "personal")
    lines = [f"{i} password=p{i} and a{i}@b.example" if i % 7 == 0 else f"line {i}" for i in range(2000)]
    threads = [threading.Thread(target=lambda: sink.write_logs(make_logs(lines))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [
        f"{i} password=[REDACTED:password] and [REDACTED:email]" if i % 7 == 0 else f"line {i}" for i in range(2000)
    ]
    assert [batch.line.to_strings() for batch in inner.batches] == [expected] * 4
