"""Text and OpenMetrics expositions: hand-made cases, prometheus_client's parser as the independent one, damage."""

from __future__ import annotations

import math
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from swarmscope.receivers.scrape.exposition import NO_TIMESTAMP_MS, ExpositionError
from swarmscope.receivers.scrape.label_text import parse_braces, parse_series, series_text
from swarmscope.receivers.scrape.text_decode import FamilyCache, decode_text
from tests.portion import portion


def decode(text, *, openmetrics=False, cache=None):
    data = text.encode() if isinstance(text, str) else text
    return decode_text(np.frombuffer(data, np.uint8), openmetrics=openmetrics, seed=7, cache=cache)


def samples(exposition):
    """[(labels, value, time or None)]"""
    times = [None if ts == NO_TIMESTAMP_MS else ts for ts in exposition.ts_ms.tolist()]
    rows = range(exposition.n_samples)
    return [(parse_series(exposition.series_text(row)), exposition.value[row], times[row]) for row in rows]


def test_text_by_hand():
    body = (
        "# HELP rpc_total Calls\\nso far\n# TYPE rpc_total counter\n"
        'rpc_total{code="200", path="a\\\\b\\"c\\nd",} 1027 1395066363000\n'
        "# a plain comment\n\n \t \n"
        '  spaced\t{ a = "x" } \t-0.5e-3\t-17 \n'
        "go:name 5\n"
        '{"my.metric", "a.b"="c"} +Inf\n'
        '{a="b","other.metric"} nan'
    )
    exposition = decode(body)
    got = samples(exposition)
    assert got[:4] == [
        ({"__name__": "rpc_total", "code": "200", "path": 'a\\b"c\nd'}, 1027.0, 1395066363000),
        ({"__name__": "spaced", "a": "x"}, -0.0005, -17),
        ({"__name__": "go:name"}, 5.0, None),
        ({"__name__": "my.metric", "a.b": "c"}, math.inf, None),
    ]
    assert got[4][0] == {"__name__": "other.metric", "a": "b"}
    assert math.isnan(got[4][1])
    assert [(f.name, f.kind, f.help) for f in exposition.families] == [("rpc_total", "counter", "Calls\nso far")]
    assert exposition.family.tolist() == [0, 0, 0, 0, 0]


def test_openmetrics_by_hand():
    body = (
        '# TYPE req_seconds histogram\n# UNIT req_seconds seconds\n# HELP req_seconds How \\"long\\"\n'
        'req_seconds_bucket{le="0.5"} 3 1.5 # {trace_id="abc"} 0.25 1.25\n'
        'req_seconds_bucket{le="+Inf"} 4 # {} 7\n'
        "req_seconds_count 4 123.456\nreq_seconds_sum 1.5\n# EOF\n"
    )
    exposition = decode(body, openmetrics=True)
    assert [ts for _, _, ts in samples(exposition)] == [1500, None, 123456, None]
    family = exposition.families[0]
    assert (family.kind, family.unit, family.help) == ("histogram", "seconds", 'How "long"')
    given = exposition.exemplars
    texts = [exposition.buffer[a:b].tobytes() for a, b in zip(given.label_start, given.label_end, strict=True)]
    assert [parse_braces(text) for text in texts] == [{"trace_id": "abc"}, {}]
    assert given.row.tolist() == [0, 1]
    assert given.value.tolist() == [0.25, 7.0]
    assert given.ts_ms.tolist() == [1250, NO_TIMESTAMP_MS]


@pytest.mark.parametrize(
    ("body", "openmetrics", "line", "words"),
    [
        ("a 1\nb x\n", False, 2, "not a number"),
        ("a 1\n\n9b 1\n", False, 3, "metric name"),
        ('a{b="c 1\n', False, 1, "not closed"),
        ("a 1 2 3\n", False, 1, "unexpected text"),
        ("a 1 1.5\n", False, 1, "timestamp"),
        ("a 0x1p3\n", False, 1, "not a number"),
        ("a 1_000\n", False, 1, "not a number"),
        ("a 1e400\n", False, 1, "out of range"),
        ("a 1\r\n", False, 1, "not a number"),
        ("a-b 1\n", False, 1, "metric name"),
        ("# TYPE a thing\n", False, 1, "invalid metric type"),
        ("a\n", False, 1, ""),
        ("a 1\n", True, 2, "# EOF"),
        ("a 1\n# EOF\nb 1\n", True, 3, "after # EOF"),
        ("a  1\n# EOF\n", True, 1, "not a number"),
        ("a 1\n\n# EOF\n", True, 2, "empty line"),
        ("# hello\n# EOF\n", True, 1, "metadata"),
        ("a 1 # {b 2\n# EOF\n", True, 1, "exemplar"),
        ("a 1 NaN\n# EOF\n", True, 1, "timestamp"),
    ],
)
def test_bad_lines_are_named(body, openmetrics, line, words):
    with pytest.raises(ExpositionError, match=f"^line {line}: ") as raised:
        decode(body, openmetrics=openmetrics)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "series",
    [b'a{b}', b'a{b="c" d="e"}', b'a{b="c",b="d"}', b'{b="c"}', b'{"x","y"}', b'a{"x"}', b'a{b="c"', b'a{,}',
     b'a{b="\xff"}', b'a{1b="c"}', b'a{b.c="d"}', b'a{b=c}', b'{}'],
)  # fmt: skip
def test_bad_labels_are_refused(series):
    with pytest.raises(ExpositionError):
        parse_series(series)


def test_empty_braces_and_trailing_comma():
    assert parse_series(b"a{}") == {"__name__": "a"}
    assert parse_series(b'a{ b = "c" , }') == {"__name__": "a", "b": "c"}
    assert parse_series(b'a{b="x}y"}') == {"__name__": "a", "b": "x}y"}


NAMES = st.one_of(st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True), st.text(min_size=1, max_size=6))


@given(st.dictionaries(NAMES.filter(lambda n: n != "__name__"), st.text(max_size=8), max_size=4), NAMES)
@settings(max_examples=portion(300, 100), deadline=None)
def test_series_text_reads_back(labels, name):
    try:
        name.encode()
        str(labels).encode()
        full = {"__name__": name, **labels}
        text = series_text(full)
    except UnicodeEncodeError:
        return
    assert parse_series(text) == full
    [(got, value, _)] = samples(decode(text + b" 1.5"))
    assert (got, value) == (full, 1.5)


def same_bits(left, right):
    return (math.isnan(left) and math.isnan(right)) or struct.pack("<d", left) == struct.pack("<d", right)


@given(
    st.one_of(
        st.floats().map(repr),
        st.floats(allow_nan=False, allow_infinity=False).map("{:.25e}".format),
        st.from_regex(r"[+-]?[0-9]{1,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
        st.from_regex(r"[+-]?\.[0-9]{1,25}", fullmatch=True),
    )
)
@settings(max_examples=portion(3000, 600), deadline=None)
def test_numbers_are_rounded_correctly(text):
    if math.isinf(float(text)) and "inf" not in text:
        return
    assert same_bits(float(decode(f"a {text}\n").value[0]), float(text))


def random_exposition(random_, openmetrics):
    lines = []
    for number in range(random_.randint(1, 12)):
        kind = random_.choice(["counter", "gauge"])
        name = f"m{number}"
        lines += [f"# HELP {name} help {number} \\\\ x", f"# TYPE {name} {kind}"]
        sample = f"{name}_total" if kind == "counter" else name
        for series in range(random_.randint(1, 8)):
            value = random_.choice(
                [str(random_.randint(0, 10**9)), repr(random_.random() * 10 ** random_.randint(-9, 9))]
            )
            labels = f'{{i="{series}",path="/a\\\\{random_.random()}\\n\\""}}'
            ts = random_.choice(["", f" {random_.randint(1, 10**9)}"])
            lines.append(f"{sample}{labels} {value}{ts}")
    return "\n".join(lines) + ("\n# EOF\n" if openmetrics else "\n")


@pytest.mark.parametrize("openmetrics", [False, True])
def test_same_as_prometheus_client(openmetrics):
    random_ = random.Random(5)
    parse = parse_openmetrics if openmetrics else parse_text
    for _ in range(150):
        body = random_exposition(random_, openmetrics)
        expected = [
            ({"__name__": s.name, **s.labels}, float(s.value), s.timestamp and round(float(s.timestamp) * 1000))
            for family in parse(body)
            for s in family.samples
        ]
        # The client's text parser gives seconds, too.
        assert samples(decode(body, openmetrics=openmetrics)) == expected


def test_family_cache_notices_changed_metadata():
    cache = FamilyCache()
    first = decode("# TYPE a counter\na 1\n", cache=cache)
    again = decode("# TYPE a counter\na 2\n", cache=cache)
    assert again.families is first.families
    changed = decode("# TYPE a gauge\na 2\n", cache=cache)
    assert changed.families[0].kind == "gauge"


def test_keys_depend_on_bytes_and_seed_alone():
    body = np.frombuffer(b'a{b="c"} 1\na{b="c"} 2\na{b="d"} 1\n', np.uint8)
    one = decode_text(body, openmetrics=False, seed=1).key.tolist()
    two = decode_text(body, openmetrics=False, seed=2).key.tolist()
    assert one[0] == one[1] != one[2]
    assert not set(one) & set(two)


@pytest.mark.parametrize("openmetrics", [False, True])
def test_damage_is_refused_or_read_never_a_crash(openmetrics):
    random_ = random.Random(9)
    refused = 0
    for _ in range(4000):
        body = bytearray(random_exposition(random_, openmetrics).encode())
        for _ in range(random_.randint(1, 4)):
            action = random_.randint(0, 2)
            at = random_.randrange(len(body))
            if action == 0:
                body[at] = random_.randrange(256)
            elif action == 1:
                del body[at:]
            else:
                body[at:at] = random_.choice([b'"', b"{", b"}", b"\\", b" ", b"\n", b"#", b"\x00"])
            if not body:
                break
        try:
            exposition = decode(bytes(body), openmetrics=openmetrics)
            for row in range(exposition.n_samples):
                parse_series(exposition.series_text(row))
        except ExpositionError:
            refused += 1
    assert refused > 1000
