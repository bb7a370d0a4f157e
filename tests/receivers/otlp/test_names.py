from __future__ import annotations

import pytest

from swarmscope.receivers.otlp.names import to_label_name, to_metadata_unit, to_metric_name
from swarmscope.receivers.otlp.settings import TranslationStrategy

ESCAPED = TranslationStrategy.UNDERSCORES_WITH_SUFFIXES
ESCAPED_BARE = TranslationStrategy.UNDERSCORES_WITHOUT_SUFFIXES
UTF8 = TranslationStrategy.UTF8_WITH_SUFFIXES
NONE = TranslationStrategy.NO_TRANSLATION


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("http.server.request.duration", "s", "histogram", "http_server_request_duration_seconds"),
        ("requests.count", "1", "counter", "requests_count_total"),
        ("memory.usage", "By", "gauge", "memory_usage_bytes"),
        ("cpu.utilization", "1", "gauge", "cpu_utilization_ratio"),
        ("system.io", "By", "counter", "system_io_bytes_total"),
        ("system.io.total", "By", "counter", "system_io_bytes_total"),
        ("network.bytes", "By", "gauge", "network_bytes"),
        ("throughput", "By/s", "gauge", "throughput_bytes_per_second"),
        ("rate", "{request}/s", "gauge", "rate_per_second"),
        ("tokens", "{token}", "histogram", "tokens"),
        ("speed", "m/s", "gauge", "speed_meters_per_second"),
        ("load", "%", "gauge", "load_percent"),
        ("3d.render", "ms", "gauge", "_3d_render_milliseconds"),
        ("a..b__c", "", "gauge", "a_b_c"),
        ("odd", "foo bar", "gauge", "odd_foo_bar"),
        ("temp", "Cel", "gauge", "temp_celsius"),
        ("ns:x", "", "gauge", "ns:x"),
    ],
)
def test_escaped_with_suffixes(name: str, unit: str, kind: str, expected: str) -> None:
    assert to_metric_name(name, unit, kind, ESCAPED) == expected


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("http.server.duration", "s", "histogram", "http_server_duration"),
        ("requests", "1", "counter", "requests"),
        ("a..b__c", "By", "gauge", "a_b__c"),
        ("0x", "", "gauge", "_0x"),
    ],
)
def test_escaped_without_suffixes(name: str, unit: str, kind: str, expected: str) -> None:
    assert to_metric_name(name, unit, kind, ESCAPED_BARE) == expected


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("http.server.duration", "s", "histogram", "http.server.duration_seconds"),
        ("requests", "1", "counter", "requests_total"),
        ("requests.total", "", "counter", "requests_total"),
        ("usage", "1", "gauge", "usage_ratio"),
        ("io.bytes", "By", "counter", "io.bytes_total"),
        ("io", "By/s", "counter", "io_bytes_per_second_total"),
    ],
)
def test_utf8_with_suffixes(name: str, unit: str, kind: str, expected: str) -> None:
    assert to_metric_name(name, unit, kind, UTF8) == expected


def test_no_translation_keeps_everything() -> None:
    assert to_metric_name("gen_ai.client.token.usage", "{token}", "counter", NONE) == "gen_ai.client.token.usage"
    assert to_label_name("gen_ai.system", NONE) == "gen_ai.system"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("http.method", "http_method"),
        ("123invalid", "key_123invalid"),
        ("_private", "key_private"),
        ("__reserved__", "__reserved__"),
        ("label@with$symbols", "label_with_symbols"),
        ("ünïcode", "key_n_code"),
    ],
)
def test_label_names(key: str, expected: str) -> None:
    assert to_label_name(key, ESCAPED) == expected


@pytest.mark.parametrize("name", ["", "...", "日本"])
def test_names_without_a_usable_character_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no character"):
        to_metric_name(name, "", "gauge", ESCAPED)


@pytest.mark.parametrize(
    ("unit", "expected"), [("s", "seconds"), ("By/s", "bytes_per_second"), ("1", ""), ("{x}/s", "per_second"), ("", "")]
)
def test_metadata_units(unit: str, expected: str) -> None:
    assert to_metadata_unit(unit) == expected
