"""Delimited MetricFamily messages: encoded by hand-written wire code, so that field numbers are checked too."""

from __future__ import annotations

import random
import struct

import pytest

from swarmscope.receivers.scrape.exposition import NO_TIMESTAMP_MS, ExpositionError
from swarmscope.receivers.scrape.histogram_limits import limit_buckets, to_rows
from swarmscope.receivers.scrape.label_text import parse_braces, parse_series
from swarmscope.receivers.scrape.protobuf_decode import decode_protobuf
from swarmscope.receivers.scrape.sample_labels import SampleLimitError


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def integer(field, number):
    return varint(field << 3) + varint(number)


def signed(field, number):
    return integer(field, (number << 1) ^ (number >> 63))


def double(field, number):
    return varint(field << 3 | 1) + struct.pack("<d", number)


def nested(field, *parts):
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(field << 3 | 2) + varint(len(data)) + data


def family(name, kind, *metrics, unit=""):
    data = b"".join([nested(1, name), nested(2, "Help"), integer(3, kind), *metrics])
    data += nested(5, unit) if unit else b""
    return varint(len(data)) + data


def label(name, value):
    return nested(1, nested(1, name), nested(2, value))


def exemplar(field, value, seconds=None):
    stamp = [] if seconds is None else [nested(3, integer(1, seconds), integer(2, 500_000_000))]
    return nested(field, nested(1, nested(1, "trace"), nested(2, "t1")), double(2, value), *stamp)


COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM = range(6)
NATIVE = nested(
    7,
    integer(1, 10), double(2, 33.5), signed(5, 3), double(6, 0.001), integer(7, 2),
    nested(12, signed(1, -2), integer(2, 2)), nested(12, signed(1, 3), integer(2, 1)),
    signed(13, 1), signed(13, 2), signed(13, -1),
    nested(9, signed(1, 4), integer(2, 1)), signed(10, 2),
    nested(3, integer(1, 4), double(2, 0.5), exemplar(3, 0.25, 7)),
    nested(16, nested(1, nested(1, "trace"), nested(2, "t2")), double(2, 9), nested(3, integer(1, 8))),
    exemplar(16, 1.0),
)  # fmt: skip


def decode(body, *, native=True, classic=False):
    return decode_protobuf(body, seed=1, native=native, classic=classic)


def samples(exposition):
    rows = range(exposition.n_samples)
    return [(parse_series(exposition.series_text(row)), float(exposition.value[row])) for row in rows]


def test_simple_kinds():
    body = (
        family(
            "c_total",
            COUNTER,
            nested(4, label("a", 'x"\n'), nested(3, double(1, 5), exemplar(2, 0.5, 3)), integer(6, 1234)),
        )
        + family("g", GAUGE, nested(4, nested(2, double(1, -1.5))), unit="bytes")
        + family("my.u", UNTYPED, nested(4, label("b.c", "d"), nested(5, double(1, 2))))
        + family(
            "s", SUMMARY, nested(4, nested(4, integer(1, 3), double(2, 6), nested(3, double(1, 0.5), double(2, 1.5))))
        )
    )
    got = decode(body)
    assert samples(got) == [
        ({"__name__": "c_total", "a": 'x"\n'}, 5),
        ({"__name__": "g"}, -1.5),
        ({"__name__": "my.u", "b.c": "d"}, 2),
        ({"__name__": "s_count"}, 3),
        ({"__name__": "s_sum"}, 6),
        ({"__name__": "s", "quantile": "0.5"}, 1.5),
    ]
    assert got.ts_ms.tolist() == [1234] + [NO_TIMESTAMP_MS] * 5
    assert [(f.name, f.kind, f.unit, f.help) for f in got.families] == [
        ("c_total", "counter", "", "Help"), ("g", "gauge", "bytes", "Help"), ("my.u", "unknown", "", "Help"),
        ("s", "summary", "", "Help"),
    ]  # fmt: skip
    given = got.exemplars
    assert (given.row.tolist(), given.value.tolist(), given.ts_ms.tolist()) == ([0], [0.5], [3500])
    text = got.buffer[given.label_start[0] : given.label_end[0]].tobytes()
    assert parse_braces(text) == {"trace": "t1"}


def test_classic_histogram_gets_its_infinite_bucket():
    histogram = nested(7, integer(1, 3), double(2, 1.5), nested(3, integer(1, 2), double(2, 0.1)))
    got = decode(family("h", HISTOGRAM, nested(4, label("a", "b"), histogram)))
    assert samples(got) == [
        ({"__name__": "h_count", "a": "b"}, 3),
        ({"__name__": "h_sum", "a": "b"}, 1.5),
        ({"__name__": "h_bucket", "a": "b", "le": "0.1"}, 2),
        ({"__name__": "h_bucket", "a": "b", "le": "+Inf"}, 3),
    ]
    assert len(got.histograms) == 0


def test_native_histogram():
    body = family("h", HISTOGRAM, nested(4, label("a", "b"), NATIVE))
    got = decode(body)
    assert got.n_samples == 0
    assert parse_series(got.series_text(0)) == {"__name__": "h", "a": "b"}
    [row] = to_rows(got.histograms)
    assert (row.schema, row.count, row.sum, row.zero_threshold, row.zero_count) == (3, 10, 33.5, 0.001, 2)
    # spans: -2, -1, then a gap of 3: 3; deltas 1, +2, -1
    assert row.positive == [(-2, 1), (-1, 3), (3, 2)]
    assert row.negative == [(4, 2)]
    assert not row.is_float
    # Its own exemplars count, and of these only the one with a time.
    assert got.exemplars.row.tolist() == [0]
    assert got.exemplars.ts_ms.tolist() == [8000]
    both = decode(body, classic=True)
    assert len(both.histograms) == 1
    assert [labels["__name__"] for labels, _ in samples(both)] == ["h_count", "h_sum", "h_bucket", "h_bucket"]
    without = decode(body, native=False)
    assert len(without.histograms) == 0
    assert without.n_samples == 4


def test_float_and_gauge_histograms():
    histogram = nested(
        7, double(4, 2.5), double(2, 1), signed(5, 0), double(8, 0.5), nested(12, signed(1, 0), integer(2, 2)),
        double(14, 0.75), double(14, 1.25),
    )  # fmt: skip
    [row] = to_rows(decode(family("h", GAUGE_HISTOGRAM, nested(4, histogram))).histograms)
    assert row.is_float
    assert (row.count, row.zero_count, row.reset_hint.name) == (2.5, 0.5, "GAUGE")
    assert row.positive == [(0, 0.75), (1, 1.25)]


def test_packed_numbers_are_the_same():
    deltas = b"".join(varint((n << 1) ^ (n >> 63)) for n in (1, 2, -1))
    histogram = nested(7, integer(1, 6), signed(5, 0), nested(12, signed(1, 0), integer(2, 3)), nested(13, deltas))
    [row] = to_rows(decode(family("h", HISTOGRAM, nested(4, histogram))).histograms)
    assert row.positive == [(0, 1), (1, 3), (2, 2)]


def test_bucket_limits_halve_the_resolution():
    got = decode(family("h", HISTOGRAM, nested(4, NATIVE)))
    [row] = to_rows(limit_buckets(got, 3, 0).histograms)
    # schema 2: -2 and -1 both go to ceil(i / 2): -1 and 0; 3 to 2; 4 to 2. Still 4 buckets, so schema 1 is needed:
    # -1 to 0, 0 to 0, 2 to 1.
    assert row.schema == 1
    assert row.positive == [(0, 4), (1, 2)]
    assert row.negative == [(1, 2)]
    # Factor 1.4 needs at least 2**(2**-1) = 1.41: schema 1.
    assert to_rows(limit_buckets(got, 0, 1.4).histograms)[0].schema == 1
    with pytest.raises(SampleLimitError, match="bucket_limit"):
        limit_buckets(got, 1, 0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\x05ab", "5 bytes announced"),
        (b"\xff\xff", "cut off"),
        (b"\x02\xff\xff", "not a MetricFamily"),
        (family("", GAUGE), "without a name"),
        (family("a", 9), "unknown type 9"),
        (family("a", GAUGE, nested(4, label("b", b"\xff"))), "UTF-8"),
        (family("a", GAUGE, nested(4, label("b", "1"), label("b", "2"))), "stands twice"),
        (family("h", HISTOGRAM, nested(4, nested(7, signed(5, 20), double(6, 1)))), "schema 20"),
        (family("h", HISTOGRAM, nested(4, nested(7, nested(12, signed(1, 0), integer(2, 2**31))))), "spans name"),
    ],
)
def test_bad_messages(body, words):
    with pytest.raises(ExpositionError, match=r"^message 1: ") as raised:
        decode(body)
    assert words in str(raised.value)


def test_damage_is_refused_or_read_never_a_crash():
    random_ = random.Random(3)
    good = family("h", HISTOGRAM, nested(4, label("a", "b"), NATIVE)) + family(
        "g", GAUGE, nested(4, nested(2, double(1, 1)))
    )
    refused = 0
    for _ in range(5000):
        body = bytearray(good)
        for _ in range(random_.randint(1, 3)):
            body[random_.randrange(len(body))] = random_.randrange(256)
        try:
            got = decode(bytes(body[: random_.randint(1, len(body))]), classic=True)
            assert len(got.key) == got.n_samples + len(got.histograms)
        except ExpositionError:
            refused += 1
    assert refused > 1000
